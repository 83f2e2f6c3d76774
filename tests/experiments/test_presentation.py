from experiments.allocation import closed, open_more
from experiments.launch import Finding
from experiments.presentation import action_words, allocation_bar, checklist

TWO = ["Control", "Treatment"]


def test_a_bar_covers_every_slot_once_and_says_its_picture_in_words():
    bar = allocation_bar(open_more(closed(), weights_bp=[7_500, 2_500], share_bp=4_000), TWO)
    assert sum(block.width for block in bar.blocks) == 10_000
    assert [block.start for block in bar.blocks] == [0, 3_000, 4_000]
    assert bar.label == "Control 30 %, Treatment 10 %, Closed 60 %"


def test_a_full_bar_has_no_closed_part():
    bar = allocation_bar(open_more(closed(), weights_bp=[5_000, 5_000], share_bp=10_000), TWO)
    assert [share.name for share in bar.legend] == TWO


def test_a_checklist_shows_the_worst_of_each_part():
    findings = (
        Finding("blocker", "no_plan", "plan", "There is no plan.", "Fill it in."),
        Finding("warning", "less_than_a_week", "plan", "Short.", "Run longer."),
        Finding("warning", "no_guardrail", "metrics", "No guardrail.", "Add one."),
    )
    states = {item.part: item.state for item in checklist(findings, has_layer=False)}
    assert states["plan"] == "blocked"
    assert states["metrics"] == "warned"
    assert states["variants"] == "done"
    assert "layer" not in states


def test_an_audit_line_is_told_in_words_and_an_unknown_one_keeps_its_name():
    assert action_words("experiment.paused") == "Paused it"
    assert action_words("report.sent") == "report.sent"

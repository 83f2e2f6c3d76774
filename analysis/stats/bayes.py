"""Bayesian view of a comparison: chance to win and expected loss under a prior that the plan states."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from scipy import special

from analysis.stats.arms import ArmEstimate, contrast_variance
from analysis.stats.compare import valid_pair
from analysis.stats.estimable import Direction, Interval, NotEstimable, check_finite, check_share, sign_of
from analysis.stats.heterogeneity import BetweenMethod, fit_random_effects

PEEKING_LABEL = "not peeking-proof: looking repeatedly and stopping at a high chance to win errs more often"
"""Said beside every number of this module, on pages and in exports."""

EffectScale = Literal["absolute", "relative"]

FEWEST_PAST_EFFECTS = 5
"""Past experiments from which a prior is learned; the spread of fewer says next to nothing."""


@dataclass(frozen=True, slots=True)
class NormalPrior:
    """Prior of the true effect: N(mean, sd^2); sd infinite is the flat prior.

    effects: how many past experiments it was learned from, 0 for a prior that was chosen.
    Raises ValueError for an sd that is not positive.
    """

    mean: float = 0.0
    sd: float = math.inf
    effects: int = 0

    def __post_init__(self) -> None:
        check_finite(self.mean, "mean")
        if not self.sd > 0.0:
            raise ValueError(f"the prior's sd must be positive, not {self.sd!r}")


@dataclass(frozen=True, slots=True)
class Posterior:
    """What is believed of the effect after the data, N(mean, sd^2).

    chance_to_win: P(treatment better); loss_of_treatment: expected loss of shipping the treatment,
    E[max(-effect, 0)]; loss_of_control: of staying, E[max(effect, 0)]; both on the effect's own scale, in the
    metric's good direction; weight: how far the data count against the prior, 0..1.
    """

    mean: float
    sd: float
    interval: Interval
    chance_to_win: float
    loss_of_treatment: float
    loss_of_control: float
    weight: float
    prior: NormalPrior
    label: str = PEEKING_LABEL


def update_prior(
    estimate: float,
    se: float,
    prior: NormalPrior,
    *,
    direction: Direction = "increase",
    alpha: float = 0.05,
) -> Posterior | NotEstimable:
    """Combine an estimate with its prior: precisions add, means are averaged by them.

    Raises ValueError for a wrong alpha or direction.  Source: Gelman et al., Bayesian Data Analysis, 2.5;
    Stucchio 2014 (expected loss); Azevedo et al., Journal of Political Economy 2020.
    """
    check_share(alpha, "alpha")
    sign = sign_of(direction)
    if not (se > 0.0 and math.isfinite(se) and math.isfinite(estimate)):
        return NotEstimable("the estimate has no standard error")
    weight = 1.0 if math.isinf(prior.sd) else 1.0 / (1.0 + (se / prior.sd) ** 2)
    mean, sd = weight * estimate + (1.0 - weight) * prior.mean, se * math.sqrt(weight)
    q = -float(special.ndtri(alpha / 2.0))
    loss_of_control, loss_of_treatment = expected_losses(sign * mean, sd)
    return Posterior(
        mean=mean,
        sd=sd,
        interval=Interval(mean - q * sd, mean + q * sd),
        chance_to_win=float(special.ndtr(sign * mean / sd)),
        loss_of_treatment=loss_of_treatment,
        loss_of_control=loss_of_control,
        weight=weight,
        prior=prior,
    )


def compare_arms_bayes(
    control: ArmEstimate | NotEstimable,
    treatment: ArmEstimate | NotEstimable,
    *,
    prior: NormalPrior,
    scale: EffectScale = "relative",
    direction: Direction = "increase",
    alpha: float = 0.05,
) -> Posterior | NotEstimable:
    """Give the posterior of the lift (or of the absolute difference) of two arms.

    The lift's likelihood is normal by the delta method, so it needs a control mean at least 5 standard errors
    from 0.  Raises ValueError for an unknown scale or direction, or a wrong alpha.
    Source: Deng, Lu & Chen, DSAA 2016 (continuous monitoring is not covered by the label "Bayesian").
    """
    if scale not in ("absolute", "relative"):
        raise ValueError(f"scale must be 'absolute' or 'relative', not {scale!r}")
    pair = valid_pair(control, treatment)
    if isinstance(pair, NotEstimable):
        return pair
    c, t = pair
    if scale == "absolute":
        se = math.sqrt(contrast_variance(c, t))
        return update_prior(t.mean - c.mean, se, prior, direction=direction, alpha=alpha)
    if c.mean <= 0.0 or c.mean * c.mean < 25.0 * c.se2:
        return NotEstimable("the control mean is too close to 0 for a normal posterior of the lift")
    ratio = t.mean / c.mean
    se = math.sqrt(contrast_variance(c, t, ratio)) / c.mean
    return update_prior(ratio - 1.0, se, prior, direction=direction, alpha=alpha)


def expected_losses(mean: float, sd: float) -> tuple[float, float]:
    """Return (E[max(x, 0)], E[max(-x, 0)]) of x ~ N(mean, sd^2): loss of control, loss of treatment.

    sd (phi(z) + z Phi(z)), z = mean / sd; the smaller one by the scaled complementary error function, which
    keeps its digits where the two terms cancel.  Raises ValueError for an sd that is not positive.
    Source: Stucchio 2014, "Bayesian A/B testing at VWO", section 5.
    """
    if not sd > 0.0:
        raise ValueError(f"sd must be positive, not {sd!r}")
    z = abs(mean) / sd
    density = math.exp(-0.5 * z * z) / math.sqrt(2.0 * math.pi)
    mills = math.sqrt(math.pi / 2.0) * float(special.erfcx(z / math.sqrt(2.0)))
    small = max(0.0, sd * density * (1.0 - z * mills))
    large = small + abs(mean)
    return (large, small) if mean >= 0.0 else (small, large)


def learn_prior(
    effects: Sequence[float],
    standard_errors: Sequence[float],
    *,
    centre: Literal["zero", "mean"] = "mean",
    method: BetweenMethod = "reml",
) -> NormalPrior | NotEstimable:
    """Learn the prior from past experiments of the same metric (empirical Bayes).

    effects: all of them, shipped or not, on one scale (relative); leaving out the losers would make the prior
    a story of success. centre: "zero" fixes the mean at no effect. The sd is the spread of *true* effects,
    the noise of each estimate taken out.
    Raises ValueError for lengths that differ or a standard error that is not positive.
    Source: Azevedo, Deng, Montiel Olea, Rao & Weyl 2020; Deng 2015, "Objective Bayesian two sample testing".
    """
    variances = [se * abs(se) for se in standard_errors]
    fitted = fit_random_effects(effects, variances, method)
    if len(effects) < FEWEST_PAST_EFFECTS:
        return NotEstimable(
            f"a prior needs at least {FEWEST_PAST_EFFECTS} past experiments, not {len(effects)}"
        )
    if isinstance(fitted, NotEstimable):
        return fitted
    mean, tau2 = fitted.mean, fitted.tau2
    if centre == "zero":
        mean, tau2 = 0.0, _spread_around_zero(effects, variances)
    if tau2 <= 0.0:
        return NotEstimable(
            "past effects do not differ by more than their noise, so the prior would be a point"
        )
    return NormalPrior(mean, math.sqrt(tau2), len(effects))


def _spread_around_zero(effects: Sequence[float], variances: Sequence[float]) -> float:
    """Solve sum d^2 / (se^2 + tau^2) = K, the Paule-Mandel equation with a known mean of 0."""
    d2, v = np.square(np.asarray(effects, dtype=float)), np.asarray(variances, dtype=float)
    tau2 = 0.0
    for _ in range(100):
        excess = float((d2 / (v + tau2)).sum()) - len(d2)
        step = excess / float((d2 / (v + tau2) ** 2).sum()) if excess > 0.0 else 0.0
        if step <= 1e-15 * tau2:
            break
        tau2 += step
    return tau2

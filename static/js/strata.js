// Small improvements; every page works without them.
document.documentElement.classList.add("has-js");

function select(element) {
  const range = document.createRange();
  range.selectNodeContents(element);
  const selection = window.getSelection();
  selection.removeAllRanges();
  selection.addRange(range);
}

// <button data-copy="id of the element whose text is copied">; says so in the button itself.
document.addEventListener("click", async (event) => {
  const button = event.target.closest("[data-copy]");
  if (!button) return;
  const source = document.getElementById(button.dataset.copy);
  try {
    await navigator.clipboard.writeText(source.textContent.trim());
    button.textContent = "Copied";
  } catch {
    // No clipboard without https: leave the text selected, ready for Ctrl+C.
    select(source);
    button.textContent = "Selected: press Ctrl+C";
  }
});

// A failed background request says so instead of leaving the page silently stale.
function say(text) {
  const announcer = document.getElementById("announcer");
  if (announcer) announcer.textContent = text;
}

document.addEventListener("htmx:sendError", () => say("The server cannot be reached. Check the connection and try again."));
document.addEventListener("htmx:responseError", (event) =>
  say(`That part of the page could not be loaded (status ${event.detail.xhr.status}). Reload the page to try again.`),
);
document.addEventListener("htmx:afterSwap", () => say(""));

// Votes by keyboard: left arrow, right arrow, down arrow for no difference; only while the questions are on the screen.
const KEYS = { ArrowLeft: 'vote-left', ArrowRight: 'vote-right', ArrowDown: 'vote-tie' };
const busy = (target) => target.closest('input, textarea, select, [contenteditable], [role=application], [role=slider], video');
document.addEventListener('keydown', (event) => {
  const button = document.getElementById(KEYS[event.key]);
  if (!button || !button.offsetParent || button.disabled || event.ctrlKey || event.metaKey || event.altKey || busy(event.target)) return;
  event.preventDefault();
  button.click();
});

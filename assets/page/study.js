// Votes by keyboard: left arrow, right arrow, down arrow for no difference; only while the questions are on the screen.
const KEYS = { ArrowLeft: 'vote-left', ArrowRight: 'vote-right', ArrowDown: 'vote-tie' };
const TYPED_INTO = 'input, textarea, select, [contenteditable], [role=application], [role=slider], video';

document.addEventListener('keydown', (event) => {
  const button = document.getElementById(KEYS[event.key]);
  const withOthers = event.ctrlKey || event.metaKey || event.altKey;
  if (!button || !button.offsetParent || button.disabled || withOthers || event.target.closest(TYPED_INTO)) return;
  event.preventDefault();
  button.click();
});

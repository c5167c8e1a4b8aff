// What the page's own parts need once: names for buttons that hold nothing but a picture, and folds on a phone.

export function openPage({ examples, pictures }) {
  document.querySelectorAll('#controls .gallery-item').forEach((b, i) => b.setAttribute('aria-label', examples[i]));
  for (const [id, name] of Object.entries(pictures)) {
    const part = document.getElementById(id);
    const named = () => part.querySelector('button:has(img)')?.setAttribute('aria-label', name);
    if (!part) continue;
    named();
    new MutationObserver(named).observe(part, { childList: true, subtree: true });
  }
  if (window.matchMedia('(max-width: 640px)').matches) document.querySelector('#figures-fold > button')?.click();
}

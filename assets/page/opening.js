// What the page's own parts need once: names for buttons that hold nothing but a picture, tables that keys reach.

const ROLLING = ':is(#sweep-table, #table-3) table';

export function openPage({ examples, pictures }) {
  document.querySelectorAll('#controls .gallery-item').forEach((b, i) => b.setAttribute('aria-label', examples[i]));
  const named = () => {
    for (const [id, name] of Object.entries(pictures))
      document.querySelector(`#${id} button:has(img)`)?.setAttribute('aria-label', name);
    for (const table of document.querySelectorAll(ROLLING)) table.tabIndex = 0; // so that keys roll them too
  };
  new MutationObserver(named).observe(document.getElementById('studio'), { childList: true, subtree: true }); // tabs are made when opened
}

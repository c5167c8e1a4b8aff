(...values) => {  // the settings that differ from their defaults, as a link; in the clipboard where the browser allows it
  const names = NAMES, defaults = DEFAULTS, examples = EXAMPLES, query = new URLSearchParams();
  names.forEach((name, i) => {
    let value = values[i];
    if (name === 'clip') {
      const stem = ((value && (value.orig_name || value.path)) || '').split('/').pop().replace(/\.[^.]*$/, '');
      value = examples.includes(stem) ? stem : null;
    }
    if (Array.isArray(value)) value = value.join(',');
    if (value !== null && value !== undefined && String(value) !== String(defaults[name])) query.set(name, value);
  });
  const text = query.toString(), link = location.origin + location.pathname + (text ? '?' + text : '');
  if (navigator.clipboard) navigator.clipboard.writeText(link).catch(() => {});
  return link;
}

// The settings of the form as the query of a link.

// A shipped example goes into a link by its name; a clip of the visitor's own cannot.
function exampleOf(clip, examples) {
  const name = ((clip && (clip.orig_name || clip.path)) || '').split('/').pop();
  const stem = name.replace(/\.[^.]*$/, '');
  return examples.includes(stem) ? stem : null;
}

// Only what differs from its default: values stand in the order of names.
export function queryOf(values, { names, defaults, examples }) {
  const query = new URLSearchParams();
  names.forEach((name, i) => {
    const value = name === 'clip' ? exampleOf(values[i], examples) : values[i];
    const text = Array.isArray(value) ? value.join(',') : value;
    if (text === null || text === undefined || String(text) === String(defaults[name])) return;
    query.set(name, text);
  });
  return query.toString();
}

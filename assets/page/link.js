// The link to the settings that stand in the form, in the clipboard too where the browser allows it.
import { queryOf } from './maths/query.js';

export function copyLink(values, known) {
  const query = queryOf(values, known);
  const link = location.origin + location.pathname + (query ? `?${query}` : '');
  if (navigator.clipboard) navigator.clipboard.writeText(link).catch(() => {});
  return link;
}

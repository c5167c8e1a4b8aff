// The files to take home as links; every text comes from the server and is set as text, never as markup.
import { element, props, watch } from './host.js';

const none = element.querySelector('.none');
const NONE = none.textContent;
const sum = element.querySelector('.sum');
const all = element.querySelector('.all');
const told = element.querySelector('.told');
const list = element.querySelector('ul');

function made(name, className, text) {
  const node = document.createElement(name);
  node.className = className;
  node.textContent = text;
  return node;
}

function point(link, file) {
  link.href = file.url;
  link.download = file.orig_name;
}

function row({ file, name, told: kind, picture }) {
  const link = made('a', 'file', '');
  point(link, file);
  const thumb = made('span', 'thumb', picture ? '' : file.orig_name.split('.').pop());
  if (picture) {
    const image = document.createElement('img');
    image.src = picture;
    image.alt = '';
    thumb.append(image);
  }
  link.append(thumb, made('span', 'name', name), made('span', 'kind', kind));
  const item = document.createElement('li');
  item.append(link);
  return item;
}

function draw() {
  const { files = [], everything, told: text = '' } = props.value ?? {};
  none.hidden = files.length > 0;
  none.textContent = text || NONE;
  sum.hidden = !files.length;
  all.hidden = !everything;
  if (everything) point(all, everything);
  all.textContent = everything ? text : '';
  told.textContent = everything ? '' : text;
  list.replaceChildren(...files.map(row));
}
watch('value', draw);
draw();

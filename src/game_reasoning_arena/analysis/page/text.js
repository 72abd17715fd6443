"use strict";
// Text as nodes: whatever comes from models and files is shown, never read as markup.

// Control characters and those that turn the direction of text are shown by their numbers.
const HIDDEN = /[\u0000-\u0008\u000B-\u001F\u007F-\u009F\u061C\u200B-\u200F\u2028-\u202E\u2060-\u2069\uFEFF]|[\uD800-\uDBFF](?![\uDC00-\uDFFF])|(?<![\uD800-\uDBFF])[\uDC00-\uDFFF]/g;

function shown(text) {
  const fragment = document.createDocumentFragment();
  let from = 0;
  for (const found of String(text).matchAll(HIDDEN)) {
    fragment.append(text.slice(from, found.index));
    const code = found[0].charCodeAt(0).toString(16).toUpperCase().padStart(4, "0");
    fragment.append(element("span", { class: "hidden-mark", title: "invisible character" }, `U+${code}`));
    from = found.index + found[0].length;
  }
  fragment.append(String(text).slice(from));
  return fragment;
}

// A long name may be broken after a mark within it, not inside a word.
function named(text) {
  const parts = String(text).split(/(\s+)/).flatMap((word) => (word.length > 24 ? word.split(/(?<=[/_:,-])(?=\S)/).flatMap((part, k) => (k ? [element("wbr"), part] : [part])) : [word]));
  return element("span", {}, ...parts);
}

function element(name, attributes, ...children) {
  const node = document.createElement(name);
  for (const [key, value] of Object.entries(attributes || {})) {
    if (key === "on") for (const [event, listener] of Object.entries(value)) node.addEventListener(event, listener);
    else if (value !== null && value !== false) node.setAttribute(key, value === true ? "" : value);
  }
  for (const child of children.flat()) if (child !== null) node.append(typeof child === "string" ? shown(child) : child);
  return node;
}

const seconds = (value) => (value === null || value === undefined ? "–" : `${value > 0 && value < 0.1 ? Number(value.toPrecision(2)) : value.toFixed(value < 10 ? 3 : 1)} s`);
const known = (value) => (value === null || value === undefined ? "–" : String(value));

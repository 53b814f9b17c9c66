"use strict";

// What the page says, in the reader's language: strings.json holds all of it. Names of functions,
// calls and clients are not translated; glosses and the clients' steps come in English from the
// recording and are translated by pattern.

const LANGUAGES = ["en", "zh"];

const kept = { // where there is no storage (a private window, say) nothing is remembered
  get(key) { try { return localStorage[`player-${key}`] ?? null; } catch { return null; } },
  set(key, value) { try { localStorage[`player-${key}`] = value; } catch { /* so be it */ } },
};

let language = LANGUAGES.find((each) => each === kept.get("language"))
  ?? (navigator.language.startsWith("zh") ? "zh" : "en");

/** The text of that key; {name} in it stands for what `values` has under that name. */
function t(key, values = {}) {
  return contents.texts[language][key].replace(/\{(\w+)\}/g, (_, name) => values[name]);
}

const patterns = contents.texts.patterns.zh.map(([pattern, words]) =>
  [new RegExp(`^${pattern}$`), words]);

/** A text that the recording brought along, by the first pattern that it matches; so are the parts
 * that fill it. */
function translated(text) {
  if (language === "en" || !text) return text;
  for (const [pattern, words] of patterns) {
    const match = pattern.exec(text);
    if (!match) continue;
    return words.replace(/\{(\w+)\}/g, (_, name) =>
      (name === "events" ? match.groups[name].split(", ").map(translated).join("，")
        : name === "bytes" ? match.groups[name] : translated(match.groups[name])));
  }
  return text;
}

const titleOf = ({ name, title }) =>
  contents.texts.conversations[language]?.[name] ?? title;
const brokenOf = ({ server, broken }) => contents.texts.broken[language]?.[server] ?? broken;

const esc = (text) => String(text).replace(/[&<>"]/g, (c) =>
  ({ "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;" })[c]);

function setLanguage(chosen) {
  language = chosen;
  document.documentElement.lang = chosen;
  document.title = t("title");
  for (const each of document.querySelectorAll("[data-t]")) each.textContent = t(each.dataset.t);
  for (const each of document.querySelectorAll("[data-title]")) {
    const keys = keysOf(each.dataset.act);
    each.title = t(each.dataset.title) + (keys && ` (${keys})`);
    if (!each.textContent.trim()) each.ariaLabel = t(each.dataset.title);
  }
}

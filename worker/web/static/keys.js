// Single keys for the list and for one alert: they move the focus or open a form, and send nothing. They can be
// switched off; that is kept in a cookie of this browser, which says nothing else.
"use strict";
(() => {
  const dialog = document.getElementById("keys"), open = document.getElementById("keys-open"), on = document.getElementById("keys-on");
  if (!dialog || !open) return;
  open.hidden = false;
  on.checked = !document.cookie.split("; ").includes("ferrule_keys=off");
  open.addEventListener("click", () => dialog.showModal());
  on.addEventListener("change", () => {
    document.cookie = `ferrule_keys=${on.checked ? "on" : "off"}; path=/; max-age=31536000; samesite=strict`;
  });

  const rows = () => [...document.querySelectorAll("#list .headline a")];
  function move(by) {
    const all = rows(), at = all.indexOf(document.activeElement);
    const next = at < 0 ? (by > 0 ? 0 : all.length - 1) : Math.min(Math.max(at + by, 0), all.length - 1);
    all[next]?.focus();
  }
  function answer(name) {
    const form = document.querySelector(`.answer details form[action$="/${name}"]`);
    if (!form) return;
    form.closest("details").open = true;
    form.querySelector("input:not([type=hidden]), select")?.focus();
  }
  function acknowledge() {
    const button = document.querySelector('.answer .main form[action$="/acknowledge"] > button');
    if (button) { button.focus(); return; }
    const row = document.activeElement;
    if (rows().includes(row)) location.assign(`${row.pathname}#answer`);
  }
  const keys = {
    j: () => move(1), k: () => move(-1), a: acknowledge,
    d: () => answer("dismiss"), s: () => answer("snooze"), p: () => answer("reassign"),
    u: () => document.querySelector("a.back")?.click(),
    "/": () => document.getElementById("words")?.focus(),
    "?": () => dialog.showModal(),
  };
  for (const number of [1, 2, 3, 4]) keys[number] = () => document.querySelectorAll("#tabs ul a")[number - 1]?.click();

  document.addEventListener("keydown", (event) => {
    const typing = event.target.closest("input:not([type=checkbox]):not([type=radio]), select, textarea, [contenteditable]");
    if (!on.checked || typing || dialog.open || event.ctrlKey || event.metaKey || event.altKey || !Object.hasOwn(keys, event.key)) return;
    event.preventDefault();
    keys[event.key]();
  });
})();

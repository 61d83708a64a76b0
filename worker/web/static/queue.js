// An operator's list that stands open keeps itself up to date: it asks for the list's mark, and for the list once that is
// another one. Nothing is taken from under the hands of somebody who types: then it only says that there is news.
"use strict";
(() => {
  const live = document.getElementById("live"), queue = document.getElementById("queue");
  if (!live || !queue) return;
  const EVERY_MS = 5000, BY_ITSELF = { "Ferrule-By-Itself": "yes" };
  const page = live.dataset.page;
  let mark = live.dataset.mark;

  function isInUse() {
    const fields = [...queue.querySelectorAll("input:not([type=hidden]), select, textarea")];
    const touched = fields.some((one) => one.value !== (one.tagName === "SELECT" ? "" : one.defaultValue));
    return touched || queue.contains(document.activeElement) || queue.querySelector("details[open]") !== null;
  }
  function sayThereIsNews() {
    const link = Object.assign(document.createElement("a"), { href: page, textContent: "Show it" });
    live.replaceChildren("The list has changed. ", link);
  }
  async function show() {
    const answer = await fetch(page + (location.pathname === page ? location.search : ""), { headers: { ...BY_ITSELF, Accept: "text/html" } });
    if (!answer.ok) { location.reload(); return; }
    const fresh = new DOMParser().parseFromString(await answer.text(), "text/html");
    queue.replaceChildren(...fresh.getElementById("queue").childNodes);
    mark = fresh.getElementById("live").dataset.mark;
    live.textContent = "Brought up to date " + new Date().toLocaleTimeString(document.documentElement.lang, { timeStyle: "short" }) + ".";
  }
  async function look() {
    if (document.hidden) return;
    const answer = await fetch(`/queues${page}/mark`, { headers: BY_ITSELF });
    if (answer.status === 401) { location.reload(); return; }
    if (!answer.ok || (await answer.json()).mark === mark) return;
    if (isInUse()) sayThereIsNews(); else await show();
  }
  live.textContent = "This list keeps itself up to date.";
  live.hidden = false;
  setInterval(() => look().catch(() => { live.textContent = "Ferrule does not answer. What is shown may be old."; }), EVERY_MS);
  document.addEventListener("visibilitychange", () => { look().catch(() => undefined); });
})();

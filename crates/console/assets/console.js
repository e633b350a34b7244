// Keeps a page up to date, tells times in the reader's own zone, and copies a link. Every page works without it.
"use strict";

const main = document.getElementById("main");

// Says each moment in the reader's own time, where a pointer rests on it.
function localise(within) {
  for (const time of within.querySelectorAll("time[datetime]")) {
    time.title = new Date(time.dateTime).toLocaleString(undefined, { dateStyle: "full", timeStyle: "long" });
  }
}

function zone() {
  const place = document.querySelector(".zone");
  if (!place) return;
  const name = Intl.DateTimeFormat().resolvedOptions().timeZone;
  if (!name || name === "UTC") return;
  place.textContent = `; rest on one to see it in ${name}`;
  place.hidden = false;
}

// Whether the reader has marked text in a part: what they hold must not be taken away.
function busy(part) {
  const selection = document.getSelection();
  return selection && !selection.isCollapsed && part.contains(selection.anchorNode);
}

// What can have the focus in a part, in order.
const focusable = (part) => [...part.querySelectorAll("a[href], button, summary, [tabindex]")];

// Gives the focus back to what had it: the same link, or what stands in the same place.
function refocus(part, at, href) {
  const now = focusable(part);
  const same = now.find((it) => href && it.getAttribute("href") === href) ?? now[at];
  same?.focus({ preventScroll: true });
}

// What a reader opened stays open.
function keepOpen(from, to) {
  for (const details of from.querySelectorAll("details[id]")) {
    const same = to.querySelector(`#${CSS.escape(details.id)}`);
    if (same) same.open = details.open;
  }
}

function replace(fresh) {
  for (const part of document.querySelectorAll("[data-fresh]")) {
    const next = fresh.getElementById(part.id);
    if (!next || busy(part)) continue;
    keepOpen(part, next);
    localise(next);
    if (next.innerHTML === part.innerHTML) continue;
    const at = focusable(part).indexOf(document.activeElement);
    const href = document.activeElement.getAttribute("href");
    const scrolled = [...part.querySelectorAll(".wrap")].map((wrap) => wrap.scrollLeft);
    part.replaceChildren(...document.adoptNode(next).childNodes);
    part.querySelectorAll(".wrap").forEach((wrap, at) => { wrap.scrollLeft = scrolled[at] ?? 0; });
    if (at >= 0) refocus(part, at, href);
  }
}

function stayUpToDate(seconds) {
  const line = document.querySelector("footer .live");
  const button = line.querySelector("button");
  const status = line.querySelector("[role=status]");
  let stopped = false;
  line.hidden = false;
  button.addEventListener("click", () => {
    stopped = !stopped;
    button.setAttribute("aria-pressed", String(stopped));
    status.textContent = stopped ? "Updating is stopped." : "";
  });
  async function refresh() {
    if (!stopped && !document.hidden) {
      try {
        const answer = await fetch(location.pathname + location.search, { headers: { Accept: "text/html" }, redirect: "manual" });
        if (answer.type === "opaqueredirect") {
          status.textContent = "You are signed out. Open the page again.";
          return;
        }
        if (!answer.ok) throw new Error(answer.statusText);
        replace(new DOMParser().parseFromString(await answer.text(), "text/html"));
        if (!stopped) status.textContent = "";
      } catch {
        status.textContent = "The hub does not answer; what you see may be old.";
      }
    }
    setTimeout(refresh, seconds * 1000);
  }
  setTimeout(refresh, seconds * 1000);
}

for (const button of document.querySelectorAll("button[data-copy]")) {
  const field = document.getElementById(button.dataset.copy);
  if (!navigator.clipboard) break;
  button.hidden = false;
  button.addEventListener("click", async () => {
    await navigator.clipboard.writeText(field.value);
    button.textContent = "Copied";
  });
}

localise(main);
zone();
if (document.body.dataset.live) stayUpToDate(Number(document.body.dataset.live));

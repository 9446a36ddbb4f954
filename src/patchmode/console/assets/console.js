// The console's own script: nothing on the pages needs it, everything goes faster with it.
// It builds no HTML from text: what the server renders is parsed as a document, what it streams becomes text nodes.
"use strict";

// ---------------------------------------------------------------- whether the console answers

let heard = Date.now();
let leaving = false;
let again = null; // what is done once the console answers again; null: it answers
window.addEventListener("pagehide", () => (leaving = true));
window.addEventListener("pageshow", () => (leaving = false));

// "" : it answers and knows this browser; "session": it does not know it (any more); "gone": no answer; "error": another.
async function answering() {
  try {
    const response = await fetch("/assets/icon.svg", { method: "HEAD", cache: "no-store", signal: AbortSignal.timeout(5000) });
    return kindOf(response);
  } catch {
    return "gone";
  }
}

function kindOf(response) {
  if (response.status === 401) return "session";
  if (response.status >= 500) return "error";
  return "";
}

// Say what is lost, keep the page as it is, and go on with `then` as soon as the console answers.
function lose(kind, then) {
  if (leaving) return;
  const isFirst = again === null;
  again = then;
  tell(kind);
  if (isFirst) setTimeout(askAgain, 2000);
}

function tell(kind) {
  const since = `${new Date(heard).toISOString().slice(11, 19)} UTC`;
  for (const one of document.querySelectorAll("[data-lost]")) {
    for (const place of one.querySelectorAll("[data-lost-since]")) place.textContent = since;
    one.hidden = one.dataset.lost !== kind;
  }
  document.body.classList.toggle("is-lost", kind !== "");
  document.body.removeAttribute("aria-busy");
}

async function askAgain() {
  const kind = await answering();
  if (kind) {
    tell(kind);
    setTimeout(askAgain, 2000);
    return;
  }
  const then = again;
  again = null;
  heard = Date.now();
  tell("");
  then();
}

// A form is sent only where somebody takes it: what was typed stays on the page otherwise.
document.addEventListener("submit", async (event) => {
  const form = event.target;
  if (form.getAttribute("method") !== "post") return;
  if (form.dataset.sure) {
    delete form.dataset.sure;
    return;
  }
  event.preventDefault();
  if (form.dataset.asking) return;
  form.dataset.asking = "yes";
  const kind = await answering();
  delete form.dataset.asking;
  if (kind) {
    lose(kind, () => {});
    return;
  }
  form.dataset.sure = "yes";
  form.requestSubmit(event.submitter);
});

// ---------------------------------------------------------------- regions: filters, order and pages without a reload

let asked = 0;
let shownAt = location.pathname + location.search;

async function swap(url, { push = true } = {}) {
  const mine = ++asked;
  document.body.setAttribute("aria-busy", "true");
  let response;
  try {
    response = await fetch(url, { headers: { Accept: "text/html" } });
  } catch {
    if (mine === asked) lose("gone", () => swap(url, { push }));
    return;
  }
  const text = await response.text();
  if (mine !== asked) return; // a later question is under way: its answer counts
  if (kindOf(response) === "session") {
    lose("session", () => swap(url, { push }));
    return;
  }
  heard = Date.now();
  const next = new DOMParser().parseFromString(text, "text/html");
  const regions = [...document.querySelectorAll("[data-region]")];
  if (!response.ok || regions.some((region) => !next.getElementById(region.id))) {
    location.assign(url);
    return;
  }
  const focused = document.activeElement?.id;
  for (const region of regions) region.replaceWith(document.adoptNode(next.getElementById(region.id)));
  for (const control of document.querySelectorAll("[data-filters] input, [data-filters] select")) {
    const other = control.id && next.getElementById(control.id);
    if (other && control !== document.activeElement) control.value = other.value;
  }
  if (focused && document.activeElement?.id !== focused) document.getElementById(focused)?.focus({ preventScroll: true });
  if (push) history.pushState({ swapped: true }, "", url);
  shownAt = location.pathname + location.search;
  document.body.removeAttribute("aria-busy");
  chosen();
}

function filtersUrl(form) {
  const pairs = [...new FormData(form)].filter(([, value]) => value !== "");
  const query = new URLSearchParams(pairs).toString();
  return query ? `${form.getAttribute("action")}?${query}` : form.getAttribute("action");
}

document.addEventListener("click", (event) => {
  const link = event.target.closest?.("a[data-swap]");
  if (!link || event.button || event.metaKey || event.ctrlKey || event.shiftKey || event.altKey) return;
  event.preventDefault();
  swap(link.href);
});

let typing = 0;
const filters = document.querySelector("[data-filters]");
filters?.addEventListener("submit", (event) => {
  event.preventDefault();
  swap(filtersUrl(filters));
});
filters?.addEventListener("input", () => {
  clearTimeout(typing);
  typing = setTimeout(() => swap(filtersUrl(filters)), 180);
});
// A jump within the page, such as the skip link's, is such an event too, and changes nothing that is shown.
window.addEventListener("popstate", () => {
  if (location.pathname + location.search !== shownAt) location.reload();
});

document.querySelector("[data-side]")?.addEventListener("click", (event) => {
  const button = event.currentTarget;
  button.setAttribute("aria-expanded", String(button.getAttribute("aria-expanded") !== "true"));
});

// ---------------------------------------------------------------- the machines that are ticked

// Ticks are kept in the tab while pages, order and filters change; what is ticked to attach is not ticked to detach.
function ticksKey() {
  const query = new URLSearchParams(location.search);
  return `ticks ${query.get("attach") ?? ""} ${query.get("detach") ?? ""}`;
}

function keptTicks() {
  return new Set(JSON.parse(sessionStorage.getItem(ticksKey()) ?? "[]"));
}

function keepTicks(ids) {
  sessionStorage.setItem(ticksKey(), JSON.stringify([...ids]));
}

function chosen() {
  const form = document.querySelector("[data-choose]");
  if (!form) return;
  const kept = keptTicks();
  const boxes = [...form.querySelectorAll('input[type="checkbox"][name="id"]')];
  for (const box of boxes) box.checked = kept.has(box.value);
  const ticked = boxes.filter((box) => box.checked).length;
  const all = form.querySelector("[data-all]");
  all.checked = ticked > 0 && ticked === boxes.length;
  all.indeterminate = ticked > 0 && ticked < boxes.length;
  form.querySelector("[data-take-ids]").textContent = kept.size
    ? `${kept.size.toLocaleString("en-US")} ticked ${kept.size === 1 ? "machine" : "machines"}…`
    : "the ticked machines…";
  const elsewhere = form.querySelector("[data-elsewhere]");
  elsewhere.hidden = kept.size === ticked;
  elsewhere.textContent = `${(kept.size - ticked).toLocaleString("en-US")} not on this page`;
  form.querySelector("[data-untick]").hidden = !kept.size;
}

document.addEventListener("change", (event) => {
  const form = event.target.closest?.("[data-choose]");
  if (!form) return;
  const boxes = [...form.querySelectorAll('input[type="checkbox"][name="id"]')];
  if (event.target.matches("[data-all]")) {
    for (const box of boxes) box.checked = event.target.checked;
  }
  const kept = keptTicks();
  for (const box of boxes) kept[box.checked ? "add" : "delete"](box.value);
  keepTicks(kept);
  chosen();
});
document.addEventListener("click", (event) => {
  if (!event.target.matches?.("[data-untick]")) return;
  keepTicks([]);
  chosen();
  document.querySelector("[data-all]").focus();
});
document.addEventListener("submit", (event) => {
  const form = event.target;
  if (!form.matches("[data-choose]") || event.submitter?.value !== "ids") return;
  for (const one of form.querySelectorAll("[data-kept]")) one.remove();
  const here = new Set([...form.querySelectorAll('input[type="checkbox"][name="id"]')].map((box) => box.value));
  for (const id of keptTicks()) {
    if (here.has(id)) continue;
    const field = document.createElement("input");
    Object.assign(field, { type: "hidden", name: "id", value: id });
    field.dataset.kept = "";
    form.append(field);
  }
  sessionStorage.setItem("ticks sent", ticksKey());
});
// They have become a change.
if (/^\/(schedules\/)?changes\//.test(location.pathname)) {
  sessionStorage.removeItem(sessionStorage.getItem("ticks sent") ?? "");
  sessionStorage.removeItem("ticks sent");
}
chosen();

// ---------------------------------------------------------------- pages that wait for something

const waiting = document.querySelector("[data-poll]");
if (waiting) {
  const kind = waiting.dataset.poll;
  const look = async () => {
    try {
      const response = await fetch(location.href, { headers: { Accept: "text/html" } });
      if (kindOf(response)) {
        lose(kindOf(response), look);
        return;
      }
      heard = Date.now();
      const next = new DOMParser().parseFromString(await response.text(), "text/html");
      const still = next.querySelector(`[data-poll="${kind}"]`);
      const isInUse = document.activeElement?.closest("[data-filters], [data-choose]") || document.querySelector('input[name="id"]:checked');
      if (!still && kind === "busy" && isInUse) {
        waiting.textContent = "A newer reading is there: reload to see it.";
        return;
      }
      if (!still) {
        location.reload();
        return;
      }
      const [bar, now] = [waiting, still].map((one) => one.querySelector("[data-progress]"));
      if (bar && now) bar.replaceWith(document.adoptNode(now));
      const line = still.querySelector("p");
      if (line && kind === "loading") waiting.querySelector("p").lastChild.data = line.lastChild.data;
    } catch {
      lose("gone", look);
      return;
    }
    setTimeout(look, kind === "loading" ? 500 : 2000);
  };
  setTimeout(look, kind === "loading" ? 300 : 2000);
}

// ---------------------------------------------------------------- the age of what is shown

const age = document.querySelector("[data-age]");
if (age) {
  setInterval(async () => {
    const seconds = Math.max(0, (Date.now() - Date.parse(age.dataset.age)) / 1000);
    const minutes = Math.floor(seconds / 60);
    const unit = [[86400, "d"], [3600, "h"], [60, "min"]].find(([size]) => seconds >= 2 * size) ?? [60, "min"];
    if (minutes) age.querySelector("[data-ago]").textContent = `${Math.floor(seconds / unit[0])} ${unit[1]}`;
    age.className = minutes >= 60 ? "tone-bad" : minutes >= 15 ? "tone-warn" : "";
    age.querySelector("[data-old]").hidden = minutes < 15;
    if (location.pathname !== "/" || waiting) return;
    try {
      const latest = await (await fetch("/reading")).json();
      if (!latest.readAt || Date.parse(latest.readAt) - Date.parse(age.dataset.age) < 1000) return;
      age.querySelector("[data-old]").hidden = false;
      age.querySelector("[data-old]").textContent = ". A newer reading is there: reload to see it.";
    } catch {
      // Whoever types or clicks next is told that the console does not answer.
    }
  }, 30000);
}

// ---------------------------------------------------------------- a run under way

const live = document.querySelector("[data-events]");
const SILENT_MS = 15000; // the tally comes every second, since it tells how long the run takes
if (live) {
  const source = new EventSource(live.dataset.events);
  const cut = async (pause = 1000) => {
    source.close();
    clearInterval(watch);
    const kind = await answering();
    if (leaving) return;
    if (!kind) {
      setTimeout(() => location.reload(), pause);
      return;
    }
    live.querySelector('[data-live="statement"]').textContent = "Not known: this page has lost the console.";
    live.querySelector('[data-live="pace"]').textContent = "";
    live.querySelector("[data-silence]").hidden = true;
    document.querySelector("[data-stop]").disabled = true;
    lose(kind, () => location.reload());
  };
  const watch = setInterval(() => {
    if (Date.now() - heard > SILENT_MS) cut();
  }, 2000);
  source.addEventListener("error", () => cut());
  source.addEventListener("progress", (event) => {
    heard = Date.now();
    show(JSON.parse(event.data));
  });
  source.addEventListener("over", () => cut(0));
}

function show(values) {
  for (const field of live.querySelectorAll("[data-live]")) {
    const value = values[field.dataset.live];
    const text = typeof value === "number" ? value.toLocaleString("en-US") : value;
    if (field.textContent !== text) field.textContent = text; // a status that says the same is not read out again
    field.closest(".tally div")?.classList.toggle("nil", value === 0);
  }
  const bar = live.querySelector("[data-live-bar]");
  bar.max = values.total || 1;
  bar.value = values.finished;
  live.querySelector("[data-silence]").hidden = !values.silence;
  if (values.state === "stopping") document.querySelector("[data-stop]").disabled = true;
  list("[data-live-remarks]", values.remarks, (text) => [document.createTextNode(text)]);
  list("[data-live-failures]", values.failures, (one) => {
    const link = document.createElement("a");
    link.href = `/machine?id=${encodeURIComponent(one.id)}`;
    link.textContent = one.name;
    const advice = document.createElement("span");
    advice.className = "muted";
    advice.textContent = one.advice;
    return [link, document.createTextNode(`: ${one.message} `), advice];
  });
}

function list(selector, entries, parts) {
  const target = live.querySelector(selector);
  const mark = JSON.stringify(entries);
  if (!entries.length || target.dataset.mark === mark) return;
  target.dataset.mark = mark;
  target.replaceChildren(
    ...entries.map((entry) => {
      const item = document.createElement("li");
      item.append(...parts(entry));
      return item;
    }),
  );
}

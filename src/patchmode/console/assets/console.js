// The console's own script: nothing on the pages needs it, everything goes faster with it.
// It builds no HTML from text: what the server renders is parsed as a document, what it streams becomes text nodes.
"use strict";

// ---------------------------------------------------------------- regions: filters, order and pages without a reload

let asked = 0;

async function swap(url, { push = true } = {}) {
  const mine = ++asked;
  document.body.setAttribute("aria-busy", "true");
  let response;
  try {
    response = await fetch(url, { headers: { Accept: "text/html" } });
  } catch {
    location.assign(url);
    return;
  }
  const text = await response.text();
  if (mine !== asked) return; // a later question is under way: its answer counts
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
window.addEventListener("popstate", () => location.reload());

document.querySelector("[data-side]")?.addEventListener("click", (event) => {
  const button = event.currentTarget;
  button.setAttribute("aria-expanded", String(button.getAttribute("aria-expanded") !== "true"));
});

// ---------------------------------------------------------------- the machines that are ticked

function chosen() {
  const form = document.querySelector("[data-choose]");
  if (!form) return;
  const boxes = [...form.querySelectorAll('input[name="id"]')];
  const ticked = boxes.filter((box) => box.checked).length;
  const all = form.querySelector("[data-all]");
  all.checked = ticked > 0 && ticked === boxes.length;
  all.indeterminate = ticked > 0 && ticked < boxes.length;
  form.querySelector("[data-take-ids]").textContent = ticked
    ? `${ticked} ticked ${ticked === 1 ? "machine" : "machines"}…`
    : "the ticked machines…";
}

document.addEventListener("change", (event) => {
  const form = event.target.closest?.("[data-choose]");
  if (!form) return;
  if (event.target.matches("[data-all]")) {
    for (const box of form.querySelectorAll('input[name="id"]')) box.checked = event.target.checked;
  }
  chosen();
});
chosen();

// ---------------------------------------------------------------- pages that wait for something

const waiting = document.querySelector("[data-poll]");
if (waiting) {
  const kind = waiting.dataset.poll;
  const look = async () => {
    try {
      const response = await fetch(location.href, { headers: { Accept: "text/html" } });
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
      const line = still.querySelector("p");
      if (line && kind === "loading") waiting.querySelector("p").lastChild.data = line.lastChild.data;
    } catch {
      // The console may have been ended; the page says what it last knew.
    }
    setTimeout(look, kind === "loading" ? 500 : 2000);
  };
  setTimeout(look, kind === "loading" ? 300 : 2000);
}

// ---------------------------------------------------------------- a run under way

const live = document.querySelector("[data-events]");
if (live) {
  const source = new EventSource(live.dataset.events);
  const lost = live.querySelector("[data-lost]");
  source.addEventListener("open", () => (lost.hidden = true));
  source.addEventListener("error", () => (lost.hidden = false));
  source.addEventListener("progress", (event) => show(JSON.parse(event.data)));
  source.addEventListener("over", () => {
    source.close();
    location.reload();
  });
}

function show(values) {
  for (const field of live.querySelectorAll("[data-live]")) {
    const value = values[field.dataset.live];
    field.textContent = typeof value === "number" ? value.toLocaleString("en-US") : value;
    field.closest(".tally div")?.classList.toggle("nil", value === 0);
  }
  const bar = live.querySelector("[data-live-bar]");
  bar.max = values.total || 1;
  bar.value = values.finished;
  if (values.state === "stopping") {
    document.querySelector("[data-stop]").disabled = true;
    const state = live.querySelector("[data-live-state]");
    const text = "Stopping: changes under way are followed to their end, no new one is sent.";
    if (state.textContent !== text) state.textContent = text;
  }
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

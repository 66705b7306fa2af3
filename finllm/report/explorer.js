"use strict";
// Sorts and filters the examples. Without it the page shows all of them, regressions first.
(() => {
  const list = document.getElementById("explorer-list");
  if (!list) return;
  const form = document.getElementById("explorer-form");
  const status = document.getElementById("explorer-status");
  const more = document.getElementById("explorer-more");
  const metric = form.elements.metric;
  const order = form.elements.order;
  const template = form.elements.template;
  const PAGE = 12;
  let limit = PAGE;

  const number = (text) => (text === "-" ? NaN : Number(text));
  const score = (x) => {
    if (Number.isNaN(x)) return "\u2013";
    const text = x.toFixed(3);
    return Number(text) === 0 ? "0.000" : text.replace("-", "\u2212");
  };
  const signed = (x) => (Number(x.toFixed(3)) > 0 ? "+" : "") + score(x);
  const cards = [...list.children].map((card, at) => ({
    card,
    at,
    template: card.dataset.template,
    base: card.dataset.base.split(" ").map(number),
    tuned: card.dataset.tuned.split(" ").map(number),
    gain: card.querySelector(".gain"),
    scores: card.querySelector(".scores"),
  }));

  function show() {
    const column = Number(metric.value);
    const sign = order.value === "gains" ? -1 : 1;
    const chosen = cards.filter((c) => !template.value || c.template === template.value);
    for (const c of chosen) c.difference = c.tuned[column] - c.base[column];
    const key = (c) => (Number.isNaN(c.difference) ? Infinity : sign * c.difference);
    chosen.sort((a, b) => (key(a) === key(b) ? a.at - b.at : key(a) < key(b) ? -1 : 1));
    for (const c of cards) c.card.hidden = true;
    chosen.forEach((c, place) => {
      c.card.hidden = place >= limit;
      c.gain.textContent = signed(c.difference);
      c.gain.className = "gain" + (c.difference > 0 ? " better" : c.difference < 0 ? " worse" : "");
      c.scores.textContent = score(c.base[column]) + " to " + score(c.tuned[column]);
      list.append(c.card);
    });
    const shown = Math.min(limit, chosen.length);
    status.textContent = shown + " of " + chosen.length + " shown";
    more.hidden = shown === chosen.length;
  }

  for (const field of [metric, order, template]) {
    field.addEventListener("change", () => {
      limit = PAGE;
      show();
    });
  }
  more.addEventListener("click", () => {
    limit = Infinity;
    show();
  });
  form.addEventListener("submit", (event) => event.preventDefault());
  form.hidden = false;
  show();
})();

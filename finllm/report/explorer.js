// Sorts, searches and filters the examples. Without this script the page shows all, regressions first.
(() => {
  const list = document.getElementById("explorer-list");
  if (!list) return;
  const form = document.getElementById("explorer-form");
  const heading = document.getElementById("explorer-heading");
  const status = document.getElementById("explorer-status");
  const more = document.getElementById("explorer-more");
  const { metric, order, template, company, figures, search } = form.elements;
  const PAGE = 8;
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
    words: card.textContent.toLowerCase(),
    base: card.dataset.base.split(" ").map(number),
    tuned: card.dataset.tuned.split(" ").map(number),
    gain: card.querySelector(".gain"),
    scores: card.querySelector(".scores"),
    note: card.querySelector(".why"),
  }));

  function chosen() {
    const words = search.value.toLowerCase().split(/\s+/).filter(Boolean);
    return cards.filter(({ card, words: text }) => {
      const { dataset } = card;
      if (template.value && dataset.template !== template.value) return false;
      if (company.value && dataset.company !== company.value) return false;
      if (figures.value && !Number(dataset[figures.value])) return false;
      return words.every((word) => text.includes(word));
    });
  }

  function describe() {
    const option = metric.selectedOptions[0];
    const parts = [`${order.selectedOptions[0].dataset.heading} in ${option.dataset.inSentence}`];
    if (template.value) parts.push(`template \u201c${template.value}\u201d`);
    if (company.value) parts.push(company.value);
    if (figures.value) parts.push(figures.selectedOptions[0].textContent);
    if (search.value.trim()) parts.push(`with \u201c${search.value.trim()}\u201d`);
    return parts.join(", ");
  }

  function show() {
    const column = Number(metric.value);
    const sign = order.value === "gains" ? -1 : 1;
    const found = chosen();
    for (const c of found) c.difference = c.tuned[column] - c.base[column];
    const key = (c) => (Number.isNaN(c.difference) ? Infinity : sign * c.difference);
    found.sort((a, b) => (key(a) === key(b) ? a.at - b.at : key(a) < key(b) ? -1 : 1));
    for (const c of cards) c.card.hidden = true;
    found.forEach((c, place) => {
      c.card.hidden = place >= limit;
      c.gain.textContent = signed(c.difference);
      c.gain.className = "gain" + (c.difference > 0 ? " better" : c.difference < 0 ? " worse" : "");
      c.scores.textContent = score(c.base[column]) + " to " + score(c.tuned[column]);
      if (c.note) c.note.hidden = metric.value !== "0";
      list.append(c.card);
    });
    const shown = Math.min(limit, found.length);
    heading.textContent = describe();
    status.textContent = found.length
      ? `${shown} of ${found.length} shown`
      : "No example matches: change the search or a filter.";
    more.hidden = shown === found.length;
  }

  // A link to an example shows it even if the filters exclude it.
  function follow() {
    const target = location.hash && document.getElementById(location.hash.slice(1));
    const card = target && target.closest(".example");
    if (!card) return;
    if (card.hidden) {
      for (const field of [template, company, figures, search]) field.value = "";
      limit = Infinity;
      show();
    }
    card.open = true;
    card.scrollIntoView();
  }

  const restart = () => {
    limit = PAGE;
    show();
  };
  for (const field of [metric, order, template, company, figures]) {
    field.addEventListener("change", restart);
  }
  search.addEventListener("input", restart);
  form.addEventListener("reset", () => setTimeout(restart));
  form.addEventListener("submit", (event) => event.preventDefault());
  more.addEventListener("click", () => {
    const next = [...list.children].filter((card) => !card.hidden).length;
    limit = Infinity;
    show();
    const first = list.children[next];
    (first.querySelector("summary") || first).focus();
  });
  addEventListener("hashchange", follow);
  form.hidden = false;
  show();
  follow();
})();

"use strict";
// Unfolds tables for printing, marks tables that are too wide, and closes the contents on small screens.
(() => {
  const small = document.querySelector("#contents-small details");
  if (small) {
    small.addEventListener("click", (event) => {
      if (event.target.closest("a")) small.open = false;
    });
  }

  const tables = [...document.querySelectorAll(".scroll")];
  const measure = () => {
    for (const box of tables) box.classList.toggle("wide", box.scrollWidth > box.clientWidth + 1);
  };
  addEventListener("toggle", measure, true);
  addEventListener("resize", measure);
  measure();

  let opened = [];
  addEventListener("beforeprint", () => {
    opened = [...document.querySelectorAll("details.table:not(.screen):not([open])")];
    for (const one of opened) one.open = true;
  });
  addEventListener("afterprint", () => {
    for (const one of opened) one.open = false;
  });
})();

// What htmx does not do. Every page works without this file.
"use strict";

// htmx puts HTML of this service into the page, and nothing else may. Text of records is escaped by the service.
if (window.trustedTypes) {
  window.trustedTypes.createPolicy("default", { createHTML: (html) => html });
}

// Copy buttons: data-copy names the element whose text is copied.
document.addEventListener("click", (event) => {
  const button = event.target.closest("[data-copy]");
  if (!button || !navigator.clipboard) return;
  const source = document.getElementById(button.dataset.copy);
  if (!source) return;
  navigator.clipboard.writeText(source.value ?? source.textContent).then(() => {
    const said = document.getElementById("said");
    if (said) said.textContent = button.dataset.copied;
  });
});

// Choices that take effect at once; without script their form has a button.
document.addEventListener("change", (event) => {
  const select = event.target.closest("[data-submits]");
  if (select) select.form.requestSubmit();
});

function ready() {
  document.documentElement.classList.add("scripted");
  for (const hidden of document.querySelectorAll("[data-scripted]")) hidden.hidden = false;
  for (const shown of document.querySelectorAll("[data-unscripted]")) shown.hidden = true;
  // A menu closes when one leaves it.
  document.addEventListener("click", (event) => {
    for (const menu of document.querySelectorAll("details.menu[open]")) {
      if (!menu.contains(event.target)) menu.open = false;
    }
  });
  document.addEventListener("keydown", (event) => {
    if (event.key !== "Escape") return;
    for (const menu of document.querySelectorAll("details.menu[open]")) {
      menu.open = false;
      menu.querySelector("summary").focus();
    }
  });
  // What an address opens gets the focus: a drawer, the list of what is wrong.
  const first = document.querySelector("[data-focus]");
  if (first) first.focus();
}

if (document.readyState === "loading") document.addEventListener("DOMContentLoaded", ready);
else ready();

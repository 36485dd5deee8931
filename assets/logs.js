// Audit Logs: the live tail, keys, and the zone of the browser. The page works without it, but for the tail.
"use strict";

(() => {
  // The zone of this browser, which only it knows.
  for (const link of document.querySelectorAll("[data-zone]")) {
    const zone = Intl.DateTimeFormat().resolvedOptions().timeZone;
    if (zone) link.href = link.href.replace("zone=browser", `zone=${encodeURIComponent(zone)}`);
    else link.remove();
  }

  // A day that is chosen is meant.
  const range = document.getElementById("range");
  for (const name of ["from", "to"]) {
    document.getElementById(name)?.addEventListener("input", () => { range.value = "dates"; });
  }

  // The live tail. What has come waits to be pressed: nothing moves under the reader.
  const tail = document.querySelector("[data-tail]");
  if (tail && window.EventSource) {
    const button = tail.querySelector("button");
    const badge = tail.querySelector("a");
    let events = null;
    let count = 0;
    let more = false;
    const show = () => {
      const words = more ? tail.dataset.more : count === 1 ? tail.dataset.one : tail.dataset.many;
      badge.textContent = words.replace("{n}", count);
      badge.hidden = count === 0;
    };
    const stop = () => {
      events?.close();
      events = null;
      button.setAttribute("aria-pressed", "false");
      button.querySelector(".pulse")?.remove();
    };
    let last = "";
    const start = () => {
      const address = new URL(tail.dataset.tail, window.location.href);
      // What was heard before a pause is counted already.
      if (last) address.searchParams.set("after", last);
      events = new EventSource(address);
      button.setAttribute("aria-pressed", "true");
      if (!button.querySelector(".pulse")) {
        const pulse = document.createElement("span");
        pulse.className = "pulse";
        button.prepend(pulse);
      }
      events.addEventListener("news", (event) => {
        const news = JSON.parse(event.data);
        last = event.lastEventId;
        count += news.count;
        more ||= news.more;
        show();
      });
      events.addEventListener("error", () => {
        // It is not tried again where the service says that it is of no use.
        if (events && events.readyState === EventSource.CLOSED) {
          stop();
          const said = document.getElementById("said");
          if (said) said.textContent = tail.dataset.full;
        }
      });
    };
    button.addEventListener("click", () => (events ? stop() : start()));
    // Who reads further down or elsewhere needs no news.
    document.addEventListener("visibilitychange", () => {
      if (document.hidden && events) { stop(); tail.dataset.paused = "yes"; }
      else if (!document.hidden && tail.dataset.paused) { delete tail.dataset.paused; start(); }
    });
    start();
  }

  // Keys, unless somebody has switched them off.
  const dialog = document.getElementById("keys");
  const box = document.getElementById("keys-on");
  const kept = "auditferry-keys";
  const allowed = () => { try { return window.localStorage.getItem(kept) !== "off"; } catch { return true; } };
  if (box) {
    box.checked = allowed();
    box.addEventListener("change", () => {
      try { window.localStorage.setItem(kept, box.checked ? "on" : "off"); } catch { /* It is not kept then. */ }
    });
  }
  const help = () => { if (dialog && !dialog.open) dialog.showModal(); };
  document.getElementById("keys-open")?.addEventListener("click", help);

  // The next or the last record, from the one that has the focus or is shown.
  function step(by) {
    const links = [...document.querySelectorAll("#records tbody td.lead a")];
    if (links.length === 0) return;
    const at = links.findIndex((link) => link === document.activeElement || link.closest("tr").hasAttribute("aria-current"));
    const focused = links.indexOf(document.activeElement);
    const from = focused >= 0 ? focused : at;
    const next = from < 0 ? (by > 0 ? 0 : links.length - 1) : Math.min(Math.max(from + by, 0), links.length - 1);
    links[next].focus();
    links[next].scrollIntoView({ block: "nearest" });
  }
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented || !allowed()) return;
    if (event.target.closest("input, select, textarea, [contenteditable], dialog")) return;
    switch (event.key) {
      case "/": event.preventDefault(); document.getElementById("q")?.focus(); break;
      case "j": step(1); break;
      case "k": step(-1); break;
      case "?": help(); break;
      default: break;
    }
  });
})();

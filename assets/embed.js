// Shows the portal in a page of yours:
//
//   <div id="audit"></div>
//   <script src="https://exports.example.com/portal/embed.js"></script>
//   <script>
//     auditferry.mount({
//       into: document.getElementById("audit"),
//       title: "Audit log",
//       // Asks your backend, which asks POST /api/v1/accounts/…/portal-sessions, for a link.
//       link: async () => (await (await fetch("/my/audit-link", { method: "POST" })).json()).url,
//     });
//   </script>
//
// The origin of your page has to stand in the setting portal.frame_ancestors.
(() => {
  "use strict";
  // Where this script comes from: the only origin that is spoken with.
  const origin = new URL(document.currentScript.src).origin;

  // Shortest time between two links: a session that ends at once must not ask for ever.
  const PAUSE = 10000;

  function mount({ into, link, title = "Audit log", minHeight = 480, onEnd = () => {} }) {
    const frame = document.createElement("iframe");
    frame.title = title;
    frame.allow = "clipboard-write";
    frame.style.border = "0";
    frame.style.width = "100%";
    frame.style.height = `${minHeight}px`;
    let count = 0;
    let last = 0;
    let stopped = false;

    async function open() {
      const url = new URL(await link());
      if (url.origin !== origin) throw new Error(`auditferry: the link is not of ${origin}`);
      // A link differs in its fragment alone, by which a frame would not load again.
      count += 1;
      url.searchParams.set("frame", String(count));
      last = Date.now();
      frame.src = url.href;
    }

    function hear(event) {
      if (event.origin !== origin || event.source !== frame.contentWindow) return;
      const said = event.data;
      if (!said || said.from !== "auditferry") return;
      if (said.what === "height" && Number.isFinite(said.height)) {
        frame.style.height = `${Math.max(minHeight, Math.min(said.height, 20000))}px`;
      } else if (said.what === "ended" && !stopped && Date.now() - last >= PAUSE) {
        open().catch(onEnd);
      } else if (said.what === "ended" || said.what === "shut" || said.what === "left") {
        onEnd(said.what);
      }
    }

    window.addEventListener("message", hear);
    into.replaceChildren(frame);
    const ready = open();
    return {
      ready,
      frame,
      remove() {
        stopped = true;
        window.removeEventListener("message", hear);
        frame.remove();
      },
    };
  }

  window.auditferry = Object.freeze({ mount });
})();

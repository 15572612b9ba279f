// Served pages only: asks for the state of the run and reloads when it has changed. The browser keeps the place.
(() => {
  const address = location.pathname.replace(/^\/run\//, "/state/");
  let known = null;
  const look = async () => {
    try {
      const answer = await fetch(address, { cache: "no-store" });
      const state = answer.ok ? await answer.text() : known;
      if (known !== null && state !== known) location.reload();
      known = state;
    } catch {
      // The server was stopped; the page stays as it is.
    }
  };
  look();
  setInterval(() => { if (!document.hidden) look(); }, 1500);
})();

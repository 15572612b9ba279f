// Served pages only: asks for the state of the run and reloads when it is not the one shown. The browser keeps the place.
(() => {
  const address = location.pathname.replace(/^\/run\//, "/state/");
  const shown = document.getElementById("main").dataset.state;
  const look = async () => {
    try {
      const answer = await fetch(address, { cache: "no-store" });
      if (answer.ok && (await answer.text()) !== shown) location.reload();
    } catch {
      // The server was stopped; the page stays as it is.
    }
  };
  look();
  setInterval(() => { if (!document.hidden) look(); }, 1500);
})();

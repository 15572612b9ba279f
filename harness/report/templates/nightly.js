// Filters and order of the nightly page; the cards are only hidden and moved, never rewritten.
(() => {
  const form = document.getElementById("filters"), box = document.getElementById("cards");
  if (!form || !box) return;
  const cards = [...box.children], shown = document.getElementById("shown");
  const texts = cards.map((card) => [...card.children].filter((c) => c.tagName !== "DETAILS").map((c) => c.textContent).join(" ").toLowerCase());
  const orders = {
    change: (a, b) => Number(b.dataset.change) - Number(a.dataset.change),
    name: (a, b) => a.querySelector("h3").textContent.localeCompare(b.querySelector("h3").textContent, "en", { numeric: true }),
  };

  const apply = () => {
    const wanted = new FormData(form);
    const words = String(wanted.get("words")).toLowerCase().split(/\s+/).filter(Boolean);
    let count = 0;
    cards.forEach((card, place) => {
      const fits = ["model", "device", "test", "verdict"].every((name) => !wanted.get(name) || card.dataset[name] === wanted.get(name));
      card.hidden = !(fits && words.every((word) => texts[place].includes(word)));
      count += !card.hidden;
    });
    shown.textContent = count + " of " + cards.length + " series";
    document.getElementById("said").textContent = shown.textContent;
  };

  form.elements.order.addEventListener("change", () => {
    const order = orders[form.elements.order.value];
    box.append(...(order ? [...cards].sort(order) : cards));
  });
  form.addEventListener("input", apply);
  form.addEventListener("submit", (event) => event.preventDefault());
  form.hidden = cards.length < 2;
  apply();
})();

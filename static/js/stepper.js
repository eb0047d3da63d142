// The quantity: plus and minus, and the sum in the pay button, in whole fen.
{
  const settle = (stepper) => {
    const input = stepper.querySelector("input");
    const [min, max] = [Number(input.min), Number(input.max)];
    const value = Math.round(Number(input.value)) || min;
    for (const button of stepper.querySelectorAll("[data-step]")) {
      button.disabled = button.dataset.step < 0 ? value <= min : value >= max;
    }
    const count = Math.min(max, Math.max(min, value));
    for (const sum of input.form?.querySelectorAll("[data-unit-price]") ?? []) {
      const fen = sum.dataset.unitPrice * count;
      const yuan = Math.floor(fen / 100).toString().replace(/\B(?=(\d{3})+$)/g, ",");
      sum.textContent = `¥${yuan}.${String(fen % 100).padStart(2, "0")}`;
    }
  };

  document.addEventListener("click", (event) => {
    const button = event.target.closest("[data-step]");
    if (!button) return;
    const stepper = button.closest("[data-stepper]");
    const input = stepper.querySelector("input");
    const next = (Number(input.value) || Number(input.min)) + Number(button.dataset.step);
    input.value = Math.min(Number(input.max), Math.max(Number(input.min), next));
    settle(stepper);
  });

  document.addEventListener("input", (event) => {
    const stepper = event.target.closest?.("[data-stepper]");
    if (stepper) settle(stepper);
  });

  addEventListener("pageshow", () => document.querySelectorAll("[data-stepper]").forEach(settle));
}

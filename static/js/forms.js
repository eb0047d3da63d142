// form[data-once] is sent once: a second tap finds the button busy. Coming back wakes it again.
{
  const buttons = (form) => [
    ...form.querySelectorAll("button:not([type=button])"),
    ...document.querySelectorAll(`button[form="${form.id}"]`),
  ];

  const wake = (form) => {
    delete form.dataset.sent;
    for (const button of buttons(form)) {
      delete button.dataset.busy;
      button.removeAttribute("aria-disabled");
    }
  };

  document.addEventListener("submit", (event) => {
    const form = event.target;
    if (!form.matches("[data-once]")) return;
    if (form.dataset.sent !== undefined) {
      event.preventDefault();
      event.stopImmediatePropagation();
      return;
    }
    form.dataset.sent = "";
    for (const button of buttons(form)) button.setAttribute("aria-disabled", "true");
    if (event.submitter) event.submitter.dataset.busy = "";
    // The answer did not come, or it was a file: let her try again.
    setTimeout(() => wake(form), 10000);
  }, true);

  addEventListener("pageshow", () => document.querySelectorAll("form[data-once]").forEach(wake));
  document.addEventListener("htmx:afterRequest", (event) => {
    const form = event.target.closest?.("form[data-once]");
    if (form) wake(form);
  });

  // A link to a field puts the cursor into it.
  document.addEventListener("click", (event) => {
    const link = event.target.closest("a[data-focus]");
    if (link) setTimeout(() => document.querySelector(link.hash)?.focus(), 0);
  });

  // A page that came back with errors starts at the first of them.
  document.querySelector("[aria-invalid=true]")?.focus();
}

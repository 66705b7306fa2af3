// Without this script every click submits a form and reloads the page; with it the page stays in place.
// A button is marked only after the server has saved the click to disk.
const form = document.getElementById("rating");
const problem = document.getElementById("problem");

form.addEventListener("submit", async (event) => {
  const button = event.submitter;
  if (!button) return;
  event.preventDefault();
  button.dataset.saving = "";
  try {
    const body = new URLSearchParams({ pair: form.elements.pair.value, click: button.value });
    const answer = await fetch(form.action, {
      method: "POST", body, headers: { Accept: "application/json" },
    });
    if (!answer.ok) throw new Error(answer.status === 409 ? "the answers have changed, reload the page" : `the server answered ${answer.status}`);
    const saved = await answer.json();
    for (const other of button.parentElement.children) {
      other.setAttribute("aria-pressed", String(other === button));
    }
    document.getElementById("given").textContent = saved.n_given;
    document.getElementById("done").textContent = saved.n_done;
    document.getElementById("bar").value = saved.n_done;
    problem.hidden = true;
  } catch (error) {
    problem.textContent = `Not saved: ${error.message}. Is the server still running? Click again.`;
    problem.hidden = false;
  } finally {
    delete button.dataset.saving;
  }
});

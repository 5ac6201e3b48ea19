// Short news at the edge of the page, read out by screen readers. Good news goes by itself, bad news is closed.

const LASTS = 6000;

export function toast(text, kind = "good") {
  const box = document.createElement("div");
  box.className = `toast ${kind}`;
  const words = document.createElement("p");
  words.textContent = text;
  const close = document.createElement("button");
  close.className = "button small plain";
  close.type = "button";
  close.textContent = "×";
  close.setAttribute("aria-label", document.body.dataset.close);
  close.addEventListener("click", () => box.remove());
  box.append(words, close);
  document.getElementById("toasts").append(box);
  if (kind === "good") setTimeout(() => box.remove(), LASTS);
}

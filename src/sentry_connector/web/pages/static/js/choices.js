// What a person chooses for all pages: theme and language, kept in cookies that the server reads.

const YEAR = 31536000;

document.addEventListener("change", (event) => {
  const name = event.target.dataset?.cookie;
  if (!name) return;
  const secure = name.startsWith("__Host-") || location.protocol === "https:" ? "; Secure" : "";
  document.cookie = `${name}=${encodeURIComponent(event.target.value)}; Path=/; Max-Age=${YEAR}; SameSite=Lax${secure}`;
  if (event.target.id !== "theme") {
    location.reload();
  } else if (event.target.value) {
    document.documentElement.dataset.theme = event.target.value;
    document.dispatchEvent(new Event("theme"));
  } else {
    delete document.documentElement.dataset.theme;
    document.dispatchEvent(new Event("theme"));
  }
});

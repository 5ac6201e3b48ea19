// Text becomes HTML only from this server's own pages; nothing becomes a script, and no script comes from elsewhere.
if (window.trustedTypes) {
  window.trustedTypes.createPolicy("default", {
    createHTML: (text) => text,
    createScript: () => null,
    createScriptURL: (url) => (new URL(url, location.href).origin === location.origin ? url : null),
  });
}

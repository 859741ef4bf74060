// Logs in with the token that stands behind the # of the address, which no server sees, and takes it away.
"use strict";

function placeToGo() {
  const next = new URLSearchParams(location.search).get("next") || "/";
  return /^\/(?![\/\\])/.test(next) ? next : "/";
}

async function logIn(token) {
  const answer = await fetch("/login", {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify({ token }),
  });
  if (answer.ok) {
    location.replace(placeToGo());
    return;
  }
  const said = await answer.json().catch(() => ({}));
  document.getElementById("message").textContent = said.detail || "the service gave no answer";
}

const form = document.getElementById("login");
form.addEventListener("submit", (event) => {
  event.preventDefault();
  logIn(form.elements.token.value.trim());
});

const given = location.hash.slice(1);
if (given) {
  history.replaceState(null, "", location.pathname + location.search);
  logIn(given);
}

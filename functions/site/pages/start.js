// Shows on the start page whether the deployment is healthy.

const shown = document.getElementById("health");

function say(text, kind) {
  shown.textContent = text;
  shown.classList.add(kind);
}

try {
  const response = await fetch("health", { cache: "no-store", credentials: "omit" });
  const { version, checks } = await response.json();
  const missing = Object.keys(checks).filter((name) => checks[name] !== "reachable");
  if (missing.length) {
    say(`Version ${version} cannot reach: ${missing.join(", ")}`, "bad");
  } else {
    say(`Version ${version} is up, and reaches all it needs`, "good");
  }
} catch {
  say("Its health is not known for now", "warn");
}

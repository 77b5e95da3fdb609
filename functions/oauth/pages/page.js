"use strict";

// Sends the choice, and shows the outcome. Without an answer the form stays as it was, to be tried again.

const form = document.getElementById("choice");
const button = form.querySelector("button");
const problem = document.getElementById("problem");
const progress = document.getElementById("progress");

function work(isWorking) {
  button.disabled = isWorking;
  progress.textContent = isWorking ? "Connecting…" : "";
}

function fail(text) {
  work(false);
  problem.textContent = text;
  button.focus();
}

function succeed(siteName, returnUrl) {
  document.title = "Connected";
  document.getElementById("connected-site").textContent = siteName;
  document.getElementById("choosing").hidden = true;
  document.getElementById("connected").hidden = false;
  document.getElementById("connected-title").focus();
  if (returnUrl) {
    window.location.assign(returnUrl);
  }
}

async function send(siteId) {
  const response = await fetch(form.dataset.endpoint, {
    method: "POST",
    headers: { "Content-Type": "application/json", Accept: "application/json" },
    body: JSON.stringify({ connection_code: form.dataset.code, site_id: siteId }),
    credentials: "same-origin",
  });
  const answer = await response.json().catch(() => ({}));
  if (!response.ok) {
    throw new Error(answer.error || "The site could not be connected. Please try again.");
  }
  return answer;
}

form.addEventListener("submit", async (event) => {
  event.preventDefault();
  const chosen = form.querySelector("input[name=site]:checked");
  if (button.disabled || !chosen) {
    return;
  }
  problem.textContent = "";
  work(true);
  try {
    const answer = await send(chosen.value);
    succeed(chosen.closest("label").querySelector(".name").textContent, answer.return_url);
  } catch (error) {
    fail(error instanceof TypeError ? "There is no connection to the server. Please try again." : error.message);
  }
});

// Before this line, a press of the button would do nothing.
button.disabled = false;

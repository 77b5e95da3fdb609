// Starts Swagger UI on this deployment's document. A key that is typed in stays in the page.

const dark = window.matchMedia("(prefers-color-scheme: dark)");

function follow() {
  document.documentElement.classList.toggle("dark-mode", dark.matches);
}

follow();
dark.addEventListener("change", follow);

/** Keeps the operations whose path, name or summary has the phrase; a tag's name keeps all of its own. */
function keep(tags, phrase) {
  const wanted = phrase.toLowerCase();
  const has = (operation) =>
    [operation.get("path"), operation.getIn(["operation", "operationId"]), operation.getIn(["operation", "summary"])]
      .some((text) => (text ?? "").toLowerCase().includes(wanted));
  return tags
    .map((tag, name) =>
      name.toLowerCase().includes(wanted) ? tag : tag.set("operations", tag.get("operations").filter(has)))
    .filter((tag) => tag.get("operations").size > 0);
}

window.SwaggerUIBundle({
  url: "openapi.json",
  dom_id: "#reference",
  layout: "BaseLayout",
  deepLinking: true,
  displayOperationId: true,
  defaultModelsExpandDepth: 0,
  docExpansion: "list",
  filter: true,
  persistAuthorization: false,
  plugins: [{ fn: { opsFilter: keep } }],
  tagsSorter: "alpha",
  onComplete: () => document.getElementById("servers")?.setAttribute("aria-label", "Server"),
  validatorUrl: null,
});

import { lazy, StrictMode, Suspense } from "react";
import { createRoot } from "react-dom/client";

import { App } from "./app/App";
import "./styles/index.css";

/** What the API is, which nobody needs a token to read. */
const DocsPage = lazy(() => import("./docs/DocsPage"));

const root = document.getElementById("root");
if (!root) throw new Error("the page has no place for the application");
createRoot(root).render(
  <StrictMode>
    <Suspense>{location.pathname === "/docs" ? <DocsPage /> : <App />}</Suspense>
  </StrictMode>,
);

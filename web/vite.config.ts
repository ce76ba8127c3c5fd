import react from "@vitejs/plugin-react";
import { defineConfig, loadEnv } from "vite";

const API = loadEnv("", ".", "ORDERLOG_").ORDERLOG_URL ?? "http://127.0.0.1:8000";

/** The page. `npm run dev` serves it with hot reloading in front of a running engine. */
export default defineConfig({
  plugins: [react()],
  build: { target: "es2022", sourcemap: false, assetsInlineLimit: 0 },
  server: {
    proxy: {
      "/api": API,
      "/ws": { target: API, ws: true },
    },
  },
});

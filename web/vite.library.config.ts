import react from "@vitejs/plugin-react";
import { defineConfig } from "vite";

/** The data layer for other frontends: one ES module, with React and SWR left to whoever imports it. */
export default defineConfig({
  plugins: [react()],
  build: {
    target: "es2022",
    outDir: "dist-lib",
    lib: { entry: "src/index.ts", formats: ["es"], fileName: "index" },
    rolldownOptions: { external: ["react", "react/jsx-runtime", "react-dom", "swr", /^swr\//] },
  },
});

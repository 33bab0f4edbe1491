// How the scripts are checked; whether names exist is for the type checker.

import js from "@eslint/js";
import hooks from "eslint-plugin-react-hooks";

export default [
  js.configs.recommended,
  hooks.configs.flat.recommended,
  {
    linterOptions: { reportUnusedDisableDirectives: "error" },
    rules: {
      eqeqeq: ["error", "always", { null: "ignore" }],
      "no-control-regex": "off", // texts are cleaned of control characters
      "no-undef": "off",
      "no-var": "error",
      "prefer-const": "error",
      "react-hooks/exhaustive-deps": "error",
    },
  },
  { files: ["**/*.jsx"], languageOptions: { parserOptions: { ecmaFeatures: { jsx: true } } } },
];

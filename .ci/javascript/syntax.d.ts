// What the scripts add to micromark: tokens, and a mark that labels of other texts are known.

import "micromark-util-types";

declare module "micromark-util-types" {
  interface TokenTypeMap {
    formula: "formula";
    formulaBlock: "formulaBlock";
    formulaData: "formulaData";
    ordinal: "ordinal";
  }
  interface ParseContext {
    knowsMore?: boolean;
  }
}

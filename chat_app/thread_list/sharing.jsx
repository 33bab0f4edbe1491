// What the menu of a thread shows about its share link: a button that creates it, or the link itself.

import { useHref } from "react-router";
import Check from "lucide-react/dist/esm/icons/check.mjs";
import Copy from "lucide-react/dist/esm/icons/copy.mjs";
import Link from "lucide-react/dist/esm/icons/link.mjs";
import Unlink from "lucide-react/dist/esm/icons/unlink.mjs";
import { useWords } from "../i18n/words.js";
import { useCopy } from "../ui/copy_button.jsx";

/** @param {{ icon: import("lucide-react").LucideIcon } & React.ComponentProps<"button">} props */
function Item({ icon: Icon, children, ...props }) {
  return (
    <button type="button" {...props}>
      <Icon size={16} aria-hidden="true" />
      {children}
    </button>
  );
}

/** @param {{ row: import("./thread_rows.js").Row, act: import("./threads.jsx").Act }} props */
export function Sharing({ row, act }) {
  const say = useWords();
  const [copied, copyText] = useCopy();
  const url = window.location.origin + useHref(`/share/${row.share}`);
  if (!row.share)
    return (
      <>
        <p>{say("share.closed")}</p>
        <Item icon={Link} onClick={() => act("share", row)} data-testid="share">
          {say("share.start")}
        </Item>
      </>
    );
  return (
    <>
      <p>{say("share.open")}</p>
      <input
        readOnly
        value={url}
        aria-label={say("share.link")}
        onFocus={(event) => event.target.select()}
        data-testid="share-link"
      />
      <Item icon={copied ? Check : Copy} onClick={() => copyText(url)} data-testid="share-copy">
        {copied ? say("message.copied") : say("share.copy")}
      </Item>
      <Item icon={Unlink} onClick={() => act("unshare", row)} data-testid="unshare">
        {say("share.stop")}
      </Item>
    </>
  );
}

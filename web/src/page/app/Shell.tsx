import type { ReactNode } from "react";

import { Button } from "../parts/Button";
import type { Bearer } from "./token";

interface Props {
  readonly bearer: Bearer;
  readonly title: string;
  readonly description: string;
  readonly badge?: ReactNode;
  readonly onSignOut: () => void;
  readonly children: ReactNode;
}

const PAGES: ReadonlyArray<readonly [path: string, name: string, role: string]> = [
  ["/", "Orders", "trader"],
  ["/ops", "Operations", "ops"],
  ["/audit", "Audit", "auditor"],
];

/** What is around every page: what it is, who looks at it, and where else they may go. */
export function Shell({ bearer, title, description, badge, onSignOut, children }: Props) {
  const open = PAGES.filter(([path, , role]) => bearer.roles.includes(role) || path === location.pathname);
  return (
    <>
      <header className="page-head">
        <div className="page-title">
          <h1>{title}</h1>
          <p className="muted">{description}</p>
        </div>
        {open.length > 1 && (
          <nav aria-label="Pages">
            {open.map(([path, name]) => (
              <a key={path} href={path} aria-current={path === location.pathname ? "page" : undefined}>
                {name}
              </a>
            ))}
          </nav>
        )}
        <div className="who">
          {badge}
          <span className="trader" title="Who you are">
            {bearer.trader}
          </span>
          <Button onClick={onSignOut}>Sign out</Button>
        </div>
      </header>
      <main className="page">{children}</main>
    </>
  );
}

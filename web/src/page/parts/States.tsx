import type { ReactNode } from "react";

import { Button } from "./Button";

/** Nothing is there, and that is no mistake. */
export function EmptyState({ title, children }: { readonly title: string; readonly children?: ReactNode }) {
  return (
    <div className="state">
      <p className="state-title">{title}</p>
      {children && <p className="muted">{children}</p>}
    </div>
  );
}

/** It could not be asked for. */
export function ErrorState({ sentence, onRetry }: { readonly sentence: string; readonly onRetry?: () => void }) {
  return (
    <div className="state" role="alert">
      <p className="state-title">{sentence}</p>
      {onRetry && <Button onClick={onRetry}>Try again</Button>}
    </div>
  );
}

/** It is on its way: bars where lines will be, of their height. */
export function Skeleton({ lines }: { readonly lines: number }) {
  return (
    <div className="skeleton" role="status" aria-label="Loading">
      {Array.from({ length: lines }, (_, line) => (
        <span key={line} />
      ))}
    </div>
  );
}

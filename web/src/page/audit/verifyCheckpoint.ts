import type { CheckpointView, PublicKey } from "../../api/types";

/**
 * Whether the checkpoint was signed with the key, checked here and not where it comes from; null: this browser cannot tell.
 *
 * What is signed is the text that docs/how-to tells auditors to check.
 */
export async function verifyCheckpoint(checkpoint: CheckpointView, key: PublicKey): Promise<boolean | null> {
  if (checkpoint.key_id !== key.key_id) return false;
  try {
    const spki = bytesOf(key.public_key.replaceAll(/-----[^-]+-----|\s/g, ""));
    const imported = await crypto.subtle.importKey("spki", spki, "Ed25519", false, ["verify"]);
    return await crypto.subtle.verify("Ed25519", imported, bytesOf(checkpoint.signature), new TextEncoder().encode(signedText(checkpoint)));
  } catch {
    return null;
  }
}

export function signedText({ position, hash, root, recorded_at, taken_at }: CheckpointView): string {
  const lines = [
    "orderlog checkpoint 1",
    `position ${position}`,
    `hash ${hash}`,
    `root ${root}`,
    `recorded_at ${recorded_at ?? "-"}`,
    `taken_at ${taken_at}`,
  ];
  return lines.map((line) => `${line}\n`).join("");
}

function bytesOf(base64: string): Uint8Array<ArrayBuffer> {
  return Uint8Array.from(atob(base64), (character) => character.charCodeAt(0));
}

import { generateKeyPairSync, sign } from "node:crypto";
import { describe, expect, test } from "vitest";

import { signedText, verifyCheckpoint } from "../src/page/audit/verifyCheckpoint";

const { publicKey, privateKey } = generateKeyPairSync("ed25519");
const key = { key_id: "k", public_key: publicKey.export({ type: "spki", format: "pem" }).toString() };
const unsigned = { position: 12, hash: "5f", root: "81", recorded_at: null, taken_at: "2026-11-22T10:00:00.000000Z", key_id: "k", signature: "" };
const checkpoint = { ...unsigned, signature: sign(null, Buffer.from(signedText(unsigned)), privateKey).toString("base64") };

describe("a checkpoint", () => {
  test("what is signed is the text that the engine signs", () => {
    expect(signedText(unsigned)).toBe(
      "orderlog checkpoint 1\nposition 12\nhash 5f\nroot 81\nrecorded_at -\ntaken_at 2026-11-22T10:00:00.000000Z\n",
    );
    expect(signedText({ ...unsigned, recorded_at: "then" })).toContain("\nrecorded_at then\n");
  });

  test("is good if it was signed with the key, and not if anything of it was changed", async () => {
    expect(await verifyCheckpoint(checkpoint, key)).toBe(true);
    expect(await verifyCheckpoint({ ...checkpoint, position: 13 }, key)).toBe(false);
    expect(await verifyCheckpoint(checkpoint, { ...key, key_id: "another" })).toBe(false);
  });

  test("of which nothing can be told is not said to be good", async () => {
    expect(await verifyCheckpoint(checkpoint, { ...key, public_key: "no key" })).toBeNull();
  });
});

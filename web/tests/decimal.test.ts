import { describe, expect, test } from "vitest";

import { add, compare, decimal, decimalsOf, exactly, multiply, percentOf, plain, roundUp, subtract } from "../src/decimal";

describe("decimals", () => {
  test.each(["", ".", "-", "1e5", "0x1", "1,000", "NaN", "1.2.3", "١"])("%j is no number", (text) => {
    expect(decimal(text)).toBeNull();
    expect(() => exactly(text)).toThrow(TypeError);
  });

  test.each([
    ["0", "0"],
    ["-0.0", "0"],
    [" 007.50 ", "7.5"],
    [".5", "0.5"],
    ["5.", "5"],
    ["-12.340", "-12.34"],
    ["123456789012345678901234567890.000000001", "123456789012345678901234567890.000000001"],
  ])("%j is %j", (text, shown) => {
    expect(plain(exactly(text))).toBe(shown);
  });

  test("no digit is lost where floats lose them", () => {
    expect(plain(add(exactly("0.1"), exactly("0.2")))).toBe("0.3");
    expect(plain(multiply(exactly("999999999.999999999"), exactly("999999999.999999999")))).toBe(
      "999999999999999998.000000000000000001",
    );
    expect(plain(subtract(exactly("1"), exactly("0.000000001")))).toBe("0.999999999");
  });

  test("they are compared by value", () => {
    expect(compare(exactly("1.50"), exactly("1.5"))).toBe(0);
    expect(compare(exactly("-1"), exactly("0.1"))).toBe(-1);
    expect(compare(exactly("10"), exactly("9.999"))).toBe(1);
    expect(decimalsOf(exactly("1.500"))).toBe(1);
  });

  test("rounding goes upwards", () => {
    expect(plain(roundUp(exactly("1.0000000001"), 9))).toBe("1.000000001");
    expect(plain(roundUp(exactly("-1.19"), 1))).toBe("-1.1");
    expect(plain(roundUp(exactly("1.2"), 9))).toBe("1.2");
  });

  test("money has at least two decimals", () => {
    expect(plain(exactly("5"), 2)).toBe("5.00");
    expect(plain(exactly("1.2345"), 2)).toBe("1.2345");
  });

  test.each([
    ["1", "3", 33],
    ["12", "10", 100],
    ["-1", "10", 0],
    ["1", "0", 0],
    ["0.0", "10", 0],
  ])("%s of %s is %i percent", (part, whole, percent) => {
    expect(percentOf(exactly(part), exactly(whole))).toBe(percent);
  });
});

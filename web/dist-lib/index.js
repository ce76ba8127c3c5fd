import { createContext as e, useCallback as t, useContext as n, useEffect as r, useMemo as i, useRef as a, useState as o, useSyncExternalStore as s } from "react";
import c, { SWRConfig as l } from "swr";
import { jsx as u } from "react/jsx-runtime";
import ee from "swr/infinite";
// \0rolldown/runtime.js
var d = Object.defineProperty, f = (e, t) => {
	let n = {};
	for (var r in e) d(n, r, {
		get: e[r],
		enumerable: !0
	});
	return t || d(n, Symbol.toStringTag, { value: "Module" }), n;
}, p = class extends Error {
	name = "ApiProblem";
	status;
	code;
	errors;
	errorId;
	constructor(e) {
		super(e.detail), this.status = e.status, this.code = e.code, this.errors = e.errors ?? [], this.errorId = e.error_id ?? null;
	}
	messageFor(e) {
		return this.errors.find((t) => t.pointer === e)?.message ?? null;
	}
}, m = class extends Error {
	name = "ApiUnreachable";
	constructor(e) {
		super("The server cannot be reached", { cause: e });
	}
};
function h(e) {
	return e instanceof p && (e.status === 401 || e.status === 403);
}
function g(e) {
	return e instanceof Error ? e.message : String(e);
}
// src/api/client.ts
var _ = class {
	baseUrl;
	#e;
	constructor(e) {
		this.#e = e, this.baseUrl = e.baseUrl ?? globalThis.location?.origin ?? "";
	}
	get streamUrl() {
		return `${this.baseUrl.replace(/^http/, "ws")}/ws/orders/events`;
	}
	listOrders(e = {}, t) {
		return this.request("/api/v1/orders", {
			query: e,
			...t && { signal: t }
		});
	}
	getOrder(e) {
		return this.request(`/api/v1/orders/${e}`);
	}
	orderEvents(e) {
		return this.request(`/api/v1/orders/${e}/events`);
	}
	placeOrder(e, t) {
		return this.request("/api/v1/orders", {
			method: "POST",
			body: e,
			headers: { "Idempotency-Key": t }
		});
	}
	cancelOrder(e) {
		return this.request(`/api/v1/orders/${e}/cancel`, { method: "POST" });
	}
	replaceOrder(e, t, n) {
		let r = n === void 0 ? {} : { "If-Match": `"${n}"` };
		return this.request(`/api/v1/orders/${e}/replace`, {
			method: "POST",
			body: t,
			headers: r
		});
	}
	account() {
		return this.request("/api/v1/account");
	}
	instruments() {
		return this.request("/api/v1/instruments");
	}
	async streamTicket() {
		let { ticket: e } = await this.request("/api/v1/stream-tickets", { method: "POST" });
		return e;
	}
	async request(e, t = {}) {
		let n = await this.#t(e, t), r = await n.text().catch((e) => {
			throw new m(e);
		});
		if (n.ok) return JSON.parse(r || "null");
		throw n.status === 401 && this.#e.onUnauthenticated?.(), y(n, r);
	}
	async #t(e, { method: t = "GET", query: n, body: r, headers: i, signal: a }) {
		let o = this.#e.token(), s = this.#e.fetch ?? globalThis.fetch.bind(globalThis);
		try {
			return await s(this.baseUrl + e + v(n), {
				method: t,
				headers: {
					...o === null ? {} : { Authorization: `Bearer ${o}` },
					...r === void 0 ? {} : { "Content-Type": "application/json" },
					...i
				},
				...r === void 0 ? {} : { body: JSON.stringify(r) },
				...a && { signal: a },
				cache: "no-store",
				credentials: "omit"
			});
		} catch (e) {
			throw new m(e);
		}
	}
};
function v(e) {
	let t = Object.entries(e ?? {}).filter(([, e]) => e !== void 0 && e !== ""), n = new URLSearchParams(t.map(([e, t]) => [e, String(t)]));
	return t.length > 0 ? `?${n}` : "";
}
function y(e, t) {
	try {
		let e = JSON.parse(t);
		if (typeof e.detail == "string" && typeof e.code == "string") return new p(e);
	} catch {}
	if (e.status >= 502) return new m();
	let n = `The server answered ${e.status} ${e.statusText}`.trim();
	return new p({
		type: "about:blank",
		title: "",
		status: e.status,
		code: "UNKNOWN",
		detail: n
	});
}
// src/decimal.ts
var te = /* @__PURE__ */ f({
	ZERO: () => x,
	add: () => w,
	compare: () => D,
	decimal: () => S,
	decimalsOf: () => ne,
	exactly: () => C,
	multiply: () => E,
	percentOf: () => O,
	plain: () => k,
	roundUp: () => re,
	subtract: () => T
}), b = /^([+-]?)(\d*)(?:\.(\d*))?$/, x = {
	units: 0n,
	scale: 0
};
function S(e) {
	let t = b.exec(e.trim()), [, n = "", r = "", i = ""] = t ?? [];
	if (!t || r + i === "") return null;
	let a = BigInt(r + i);
	return {
		units: n === "-" ? -a : a,
		scale: i.length
	};
}
function C(e) {
	let t = S(e);
	if (t === null) throw TypeError(`not a decimal number: ${e}`);
	return t;
}
function w(e, t) {
	let n = Math.max(e.scale, t.scale);
	return {
		units: A(e, n) + A(t, n),
		scale: n
	};
}
function T(e, t) {
	return w(e, {
		units: -t.units,
		scale: t.scale
	});
}
function E(e, t) {
	return {
		units: e.units * t.units,
		scale: e.scale + t.scale
	};
}
function D(e, t) {
	let { units: n } = T(e, t);
	return n < 0n ? -1 : Number(n > 0n);
}
function ne(e) {
	return j(e).scale;
}
function re(e, t) {
	if (e.scale <= t) return e;
	let n = 10n ** BigInt(e.scale - t), r = e.units / n;
	return {
		units: e.units % n > 0n ? r + 1n : r,
		scale: t
	};
}
function O(e, t) {
	let n = Math.max(e.scale, t.scale), r = A(t, n);
	if (r <= 0n) return 0;
	let i = A(e, n) * 100n / r;
	return Number(i < 0n ? 0n : i > 100n ? 100n : i);
}
function k(e, t = 0) {
	let { units: n, scale: r } = j(e), i = (n < 0n ? -n : n).toString().padStart(r + 1, "0"), a = i.slice(0, i.length - r), o = i.slice(i.length - r).padEnd(t, "0");
	return `${n < 0n ? "-" : ""}${a}${o && `.${o}`}`;
}
function A(e, t) {
	return e.units * 10n ** BigInt(t - e.scale);
}
function j(e) {
	let { units: t, scale: n } = e;
	for (; n > 0 && t % 10n == 0n;) t /= 10n, --n;
	return {
		units: t,
		scale: n
	};
}
// src/stream/backoff.ts
var M = class {
	#e = 0;
	#t;
	#n;
	#r;
	constructor({ firstMs: e = 250, longestMs: t = 1e4, random: n = Math.random } = {}) {
		this.#t = e, this.#n = t, this.#r = n;
	}
	get attempts() {
		return this.#e;
	}
	next() {
		let e = Math.min(this.#n, this.#t * 2 ** this.#e);
		return this.#e += 1, e / 2 + e / 2 * this.#r();
	}
	reset() {
		this.#e = 0;
	}
};
// src/stream/messages.ts
function ie(e) {
	if (typeof e != "string") return null;
	try {
		let t = JSON.parse(e);
		return typeof t.event == "string" && Number.isSafeInteger(t.position) ? t : null;
	} catch {
		return null;
	}
}
function ae(e) {
	return e.event === "heartbeat";
}
// src/stream/sequence.ts
var oe = /* @__PURE__ */ new Set([
	"FILLED",
	"CANCELLED",
	"REJECTED",
	"EXPIRED"
]), N = class {
	#e;
	#t = /* @__PURE__ */ new Map();
	constructor(e) {
		this.#e = e;
	}
	get position() {
		return this.#e;
	}
	judge(e) {
		if (e.position <= this.#e) return "repeat";
		let t = this.#t.get(e.order_id);
		return t !== void 0 && e.version > t + 1 ? "gap" : "next";
	}
	take(e) {
		this.#e = e.position, oe.has(e.status) ? this.#t.delete(e.order_id) : this.#t.set(e.order_id, e.version);
	}
	reach(e) {
		this.#e = Math.max(this.#e, e);
	}
}, P = class {
	#e;
	#t;
	#n = /* @__PURE__ */ new Set();
	#r = /* @__PURE__ */ new Set();
	#i = new N(0);
	#a = "stopped";
	#o = null;
	#s = 0;
	#c = null;
	#l;
	#u;
	#d;
	constructor(e) {
		this.#e = e, this.#t = new M(e.backoff);
	}
	get connection() {
		return this.#a;
	}
	get position() {
		return this.#i.position;
	}
	start(e) {
		this.stop(), this.#i = new N(e), this.#t.reset(), this.#x("connecting"), this.#f();
	}
	stop() {
		this.#g(), clearTimeout(this.#l), this.#y(), this.#x("stopped");
	}
	retryNow() {
		(this.#a === "reconnecting" || this.#a === "polling") && (clearTimeout(this.#l), this.#t.reset(), this.#f());
	}
	subscribe(e) {
		return this.#n.add(e), () => this.#n.delete(e);
	}
	onConnection(e) {
		return this.#r.add(e), () => this.#r.delete(e);
	}
	async #f() {
		this.#g();
		let e = this.#s, t;
		try {
			t = await this.#e.getTicket();
		} catch (t) {
			e === this.#s && this.#m(t);
			return;
		}
		if (e !== this.#s) return;
		let n = new URLSearchParams({
			ticket: t,
			after: String(this.position)
		}), r = new (this.#e.WebSocket ?? WebSocket)(`${this.#e.url}?${n}`);
		this.#o = r, this.#_(), r.addEventListener("open", () => {
			e === this.#s && (this.#_(), this.#y(), this.#x("live"));
		}), r.addEventListener("message", ({ data: t }) => {
			e === this.#s && this.#p(t);
		}), r.addEventListener("close", () => {
			e === this.#s && this.#h();
		});
	}
	#p(e) {
		this.#_(), this.#t.reset();
		let t = ie(e);
		if (t === null) return;
		if (ae(t)) {
			this.#i.reach(t.position);
			return;
		}
		let n = this.#i.judge(t);
		if (n !== "repeat") {
			if (n === "gap" && this.#c !== t.position) this.#c = t.position, this.#h();
			else {
				n === "gap" && this.#b(), this.#c = null, this.#i.take(t);
				for (let e of this.#n) e(t);
			}
		}
	}
	#m(e) {
		h(e) ? (this.stop(), this.#x("unauthenticated")) : this.#h();
	}
	#h() {
		this.#g(), (this.#a === "live" || this.#a === "connecting") && this.#x("reconnecting"), this.#t.attempts > 0 && this.#v(), clearTimeout(this.#l), this.#l = setTimeout(() => void this.#f(), this.#t.next());
	}
	#g() {
		this.#s += 1, clearTimeout(this.#d), this.#o?.close(), this.#o = null;
	}
	#_() {
		clearTimeout(this.#d), this.#d = setTimeout(() => this.#h(), this.#e.silenceMs ?? 35e3);
	}
	#v() {
		this.#u === void 0 && this.#e.poll && (this.#u = setInterval(() => void this.#b(), this.#e.pollMs ?? 5e3), this.#b());
	}
	#y() {
		clearInterval(this.#u), this.#u = void 0;
	}
	async #b() {
		let e = "reconnecting";
		try {
			await this.#e.poll?.(), e = "polling";
		} catch {}
		(this.#a === "reconnecting" || this.#a === "polling") && this.#x(e);
	}
	#x(e) {
		if (this.#a !== e) {
			this.#a = e;
			for (let t of this.#r) t(e);
		}
	}
};
// src/orders/fold.ts
function F(e, t) {
	return e ? t.version === e.version + 1 ? {
		...e,
		...I(t),
		...L(e, t)
	} : e : t.event === "order.submitted" ? V(t) : void 0;
}
function I(e) {
	let { status: t, version: n, position: r, timestamp: i } = e;
	return {
		status: t,
		version: n,
		position: r,
		updated_at: i
	};
}
function L(e, t) {
	let { flags: n = e.flags, reason: r = e.reason } = t;
	switch (t.event) {
		case "order.filled":
		case "order.fill_corrected":
		case "order.fill_busted": return {
			...R(e, t),
			flags: n
		};
		case "order.accepted": return { flags: H(n) };
		case "order.rejected":
		case "order.error":
		case "order.cancelled":
		case "order.expired": return {
			leaves_quantity: "0",
			reason: r,
			flags: H(n)
		};
		case "order.replaced": return {
			...B(e, t),
			flags: n
		};
		case "order.cancel_refused":
		case "order.replace_refused":
		case "order.unprotected": return {
			reason: r,
			flags: n
		};
		default: return { flags: n };
	}
}
function R(e, t) {
	let n = e.fills.filter((e) => e.id !== t.fill_id);
	return t.quantity_filled !== "0" && n.push(z(t)), {
		fills: n,
		filled_quantity: U(t.filled_quantity),
		leaves_quantity: U(t.leaves_quantity),
		average_fill_price: G(t.average_fill_price)
	};
}
function z(e) {
	return {
		id: e.fill_id,
		order_id: e.order_id,
		timestamp: e.executed_at,
		quantity_filled: U(e.quantity_filled),
		price_at_fill: W(e.price_at_fill),
		venue: e.venue,
		commission: W(e.commission)
	};
}
function B(e, t) {
	return {
		quantity: U(t.quantity ?? e.quantity),
		price: G(t.price ?? null),
		stop_price: G(t.stop_price ?? null),
		leaves_quantity: U(t.leaves_quantity ?? e.leaves_quantity)
	};
}
function V(e) {
	let t = e;
	return {
		id: e.order_id,
		client_order_id: t.client_order_id,
		trader_id: t.trader_id,
		symbol: t.symbol,
		side: t.side,
		quantity: U(t.quantity),
		order_type: t.order_type,
		price: G(t.price),
		stop_price: G(t.stop_price),
		time_in_force: t.time_in_force,
		stop_loss: G(t.stop_loss),
		take_profit: G(t.take_profit),
		parent_order_id: t.parent_order_id,
		oco_order_id: t.oco_order_id,
		status: e.status,
		filled_quantity: "0",
		leaves_quantity: U(t.quantity),
		average_fill_price: null,
		fills: [],
		reason: null,
		flags: [],
		version: e.version,
		position: e.position,
		created_at: e.timestamp,
		updated_at: e.timestamp
	};
}
function H(e) {
	return e.filter((e) => e !== "UNRESOLVED");
}
function U(e) {
	return k(C(e));
}
function W(e) {
	return k(C(e), 2);
}
function G(e) {
	return e === null ? null : W(e);
}
// src/orders/ordersStore.ts
var K = 1e3, q = class {
	#e = /* @__PURE__ */ new Map();
	#t = /* @__PURE__ */ new Map();
	#n = /* @__PURE__ */ new Set();
	#r;
	#i = [];
	#a = !1;
	#o = !1;
	constructor(e = ce) {
		this.#r = e;
	}
	snapshot = () => (this.#a &&= (this.#i = [...this.#e.values()].toSorted(se), !1), this.#i);
	subscribe = (e) => (this.#n.add(e), () => this.#n.delete(e));
	get(e) {
		return this.#e.get(e);
	}
	merge(e) {
		for (let t of e) {
			let e = this.#e.get(t.id);
			if (e && e.version >= t.version) continue;
			this.#c(t);
			let n = this.#t.get(t.id) ?? [];
			this.#t.delete(t.id);
			for (let e of n) this.apply(e);
		}
	}
	apply(e) {
		let t = this.#e.get(e.order_id), n = F(t, e);
		n ? n !== t && this.#c(n) : this.#s(e);
	}
	#s(e) {
		let t = this.#t.get(e.order_id) ?? [];
		this.#t.set(e.order_id, [...t, e]);
		let [n] = this.#t.keys();
		this.#t.size > K && n !== void 0 && this.#t.delete(n);
	}
	#c(e) {
		this.#e.set(e.id, e), this.#a = !0, this.#o || (this.#o = !0, this.#r(() => {
			this.#o = !1;
			for (let e of this.#n) e();
		}));
	}
};
function se(e, t) {
	return e.created_at === t.created_at ? e.id < t.id ? 1 : -1 : e.created_at < t.created_at ? 1 : -1;
}
function ce(e) {
	typeof requestAnimationFrame == "function" && !globalThis.document?.hidden ? requestAnimationFrame(e) : setTimeout(e, 100);
}
// src/orders/ordersSession.ts
var le = 100, J = class {
	client;
	store;
	socket;
	#e = !1;
	constructor(e, t = {}, n = new q()) {
		this.client = e, this.store = n, this.socket = new P({
			url: e.streamUrl,
			getTicket: () => e.streamTicket(),
			poll: () => this.fetchOrders({ limit: le }),
			...t
		}), this.socket.subscribe((e) => this.store.apply(e));
	}
	async fetchOrders(e) {
		let t = await this.client.listOrders(e);
		return this.store.merge(t.orders), this.#e && this.socket.connection === "stopped" && this.socket.start(t.position), t;
	}
	open() {
		this.#e = !0;
	}
	close() {
		this.#e = !1, this.socket.stop();
	}
	async placeOrder(e, t) {
		return this.#t(await this.client.placeOrder(e, t));
	}
	async cancelOrder(e) {
		return this.#t(await this.client.cancelOrder(e));
	}
	async replaceOrder(e, t, n) {
		return this.#t(await this.client.replaceOrder(e, t, n));
	}
	#t(e) {
		return this.store.merge([e]), e;
	}
}, Y = e(null), ue = 2e3;
function de({ client: e, children: t }) {
	let n = i(() => new J(e), [e]), a = i(() => /* @__PURE__ */ new Map(), [e]);
	return r(() => {
		n.open();
		let e = () => n.socket.retryNow();
		return globalThis.addEventListener("online", e), () => {
			globalThis.removeEventListener("online", e), n.close();
		};
	}, [n]), /* @__PURE__ */ u(Y, {
		value: n,
		children: /* @__PURE__ */ u(l, {
			value: {
				provider: () => a,
				errorRetryInterval: ue,
				shouldRetryOnError: (e) => !h(e)
			},
			children: t
		})
	});
}
function X() {
	let e = n(Y);
	if (!e) throw Error("hooks for orders work below an <OrdersProvider>");
	return e;
}
// src/hooks/useAccount.ts
var fe = 5e3, pe = 250;
function me() {
	let { client: e, socket: t } = X(), n = c("account", () => e.account(), { refreshInterval: fe }), { mutate: i } = n;
	return r(() => {
		let e, n = t.subscribe(() => {
			e ??= setTimeout(() => {
				e = void 0, i();
			}, pe);
		});
		return () => {
			n(), clearTimeout(e);
		};
	}, [t, i]), n;
}
// src/hooks/useCommand.ts
function Z(e) {
	let [n, r] = o(!1), [i, s] = o(void 0), c = a(!1), l = a(e);
	return l.current = e, {
		run: t(async (...e) => {
			if (!c.current) {
				c.current = !0, r(!0), s(void 0);
				try {
					return await l.current(...e);
				} catch (e) {
					s(e);
					return;
				} finally {
					c.current = !1, r(!1);
				}
			}
		}, []),
		isRunning: n,
		error: i,
		clear: t(() => s(void 0), [])
	};
}
// src/hooks/useConnection.ts
function Q() {
	let { socket: e } = X(), n = t((t) => e.onConnection(t), [e]);
	return s(n, () => e.connection);
}
// src/hooks/useInstruments.ts
var $ = 5e3;
function he() {
	let { client: e } = X();
	return c("instruments", async () => (await e.instruments()).instruments, { refreshInterval: $ });
}
// src/hooks/useOrderEvents.ts
function ge(e) {
	let { client: t } = X();
	return c([
		"events",
		e.id,
		e.version
	], async () => (await t.orderEvents(e.id)).events, {
		keepPreviousData: !0,
		revalidateOnFocus: !1
	});
}
// src/hooks/useOrders.ts
function _e({ status: e, symbol: n, limit: r = 100 } = {}) {
	let a = X(), { store: o, socket: c } = a, { data: l, error: u, size: d, setSize: f, mutate: p } = ee((t, i) => i && i.next_cursor === null ? null : [
		"orders",
		e,
		n,
		r,
		i?.next_cursor ?? void 0
	], ([, e, t, n, r]) => a.fetchOrders({
		limit: n,
		...e && { status: e },
		...t && { symbol: t },
		...r && { cursor: r }
	}), {
		revalidateFirstPage: !1,
		revalidateOnFocus: !1
	}), m = s(o.subscribe, o.snapshot), h = l?.at(-1), g = h?.next_cursor != null, _ = g ? h.orders.at(-1)?.created_at : void 0, v = i(() => m.filter((t) => (e === void 0 || t.status === e) && (n === void 0 || t.symbol === n) && (_ === void 0 || t.created_at >= _)), [
		m,
		e,
		n,
		_
	]);
	return {
		orders: l ? v : [],
		isLoading: !l && !u,
		error: l ? void 0 : u,
		connection: Q(),
		hasOlder: g,
		isLoadingOlder: !!(l && l.length < d),
		loadOlder: t(() => void f((e) => e + 1), [f]),
		fetchOrders: t(async () => void await p(), [p]),
		subscribeToUpdates: t((e) => c.subscribe(e), [c])
	};
}
// src/hooks/usePlaceOrder.ts
function ve() {
	let e = X(), t = a(null);
	return Z(async (n) => {
		let r = JSON.stringify(n), i = t.current?.body === r ? t.current.key : ye();
		t.current = {
			body: r,
			key: i
		};
		try {
			let r = await e.placeOrder(n, i);
			return t.current = null, r;
		} catch (e) {
			throw e instanceof m || (t.current = null), e;
		}
	});
}
function ye() {
	let e = crypto.getRandomValues(/* @__PURE__ */ new Uint8Array(16));
	return Array.from(e, (e) => e.toString(16).padStart(2, "0")).join("");
}
export { p as ApiProblem, m as ApiUnreachable, M as Backoff, P as OrderStatusSocket, _ as OrdersClient, de as OrdersProvider, J as OrdersSession, q as OrdersStore, te as decimals, F as fold, h as isAboutIdentity, g as sentenceOf, me as useAccount, Z as useCommand, Q as useConnection, he as useInstruments, ge as useOrderEvents, _e as useOrders, X as useOrdersSession, ve as usePlaceOrder };

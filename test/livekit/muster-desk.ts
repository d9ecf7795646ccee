/** Owns Muster's REST API as a backend uses it: orders made, and what became of them and their jobs. */
import { AccessToken } from "livekit-server-sdk";
import { API_KEY, API_SECRET } from "../sdk/live-muster.js";

export interface DeskOrder {
  id: string;
  state: string;
  cause: string;
  room_sid: string;
  jobs: { id: string; state: string }[];
}

export interface DeskJob {
  state: string;
  outcome: string | null;
  cause: string;
  position: number | null;
}

export class MusterDesk {
  readonly #url: string;

  constructor(url: string) {
    this.#url = url;
  }

  async token(): Promise<string> {
    const signed = new AccessToken(API_KEY, API_SECRET, { identity: "test" });
    signed.addGrant({ agent: true, roomAdmin: true, roomCreate: true, roomList: true });
    return signed.toJwt();
  }

  /** @throws Error for any answer but success */
  async call<T>(method: string, path: string, body?: object): Promise<T> {
    const headers = { authorization: `Bearer ${await this.token()}`, "content-type": "application/json" };
    const init = { method, headers, ...(body !== undefined && { body: JSON.stringify(body) }) };
    const answer = await fetch(`${this.#url}${path}`, init);
    const answered = (await answer.json()) as T;
    if (!answer.ok) throw new Error(`${method} ${path}: ${answer.status} ${JSON.stringify(answered)}`);
    return answered;
  }

  order(body: object): Promise<DeskOrder> {
    return this.call("POST", "/v1/orders", body);
  }

  read({ id }: Pick<DeskOrder, "id">): Promise<DeskOrder> {
    return this.call("GET", `/v1/orders/${id}`);
  }

  /** The first of the order. */
  job({ jobs }: Pick<DeskOrder, "jobs">): Promise<DeskJob> {
    return this.call("GET", `/v1/jobs/${jobs[0]?.id}`);
  }
}

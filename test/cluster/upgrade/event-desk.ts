/**
 * Owns what the outside world hears in a walk: a receiver of webhooks, and what of each job it was told. An event may come
 * twice; each job must be told to have been queued once, and to have ended once.
 */
import { createServer, type Server } from "node:http";
import { freePort } from "../../kit/ports.js";

interface Told {
  id: string;
  event: string;
  muster: { job_id: string };
}

export class EventDesk {
  readonly url: string;
  readonly #server: Server;
  /** By job, then by event, the ids of what came. */
  readonly #told = new Map<string, Map<string, Set<string>>>();
  deliveries = 0;

  private constructor(url: string, server: Server) {
    this.url = url;
    this.#server = server;
  }

  static async open(): Promise<EventDesk> {
    const port = await freePort();
    const server = createServer(async (request, response) => {
      let body = "";
      for await (const chunk of request.setEncoding("utf8")) body += chunk;
      desk.#take(JSON.parse(body) as Told);
      response.writeHead(200).end();
    });
    const desk = new EventDesk(`http://127.0.0.1:${port}/hook`, server);
    await new Promise<void>((resolve) => server.listen(port, "127.0.0.1", resolve));
    return desk;
  }

  /** What is missing or doubled of these jobs; empty when all is told. */
  problems(jobs: Iterable<string>): string[] {
    return [...jobs].flatMap((job) =>
      ["agent_job_queued", "agent_job_ended"].flatMap((event) => {
        const times = this.#told.get(job)?.get(event)?.size ?? 0;
        return times === 1 ? [] : [`${job}: ${event} was told ${times} times`];
      }),
    );
  }

  async close(): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  #take({ id, event, muster }: Told): void {
    this.deliveries += 1;
    const ofJob = this.#told.get(muster.job_id) ?? new Map<string, Set<string>>();
    this.#told.set(muster.job_id, ofJob);
    ofJob.set(event, (ofJob.get(event) ?? new Set()).add(id));
  }
}

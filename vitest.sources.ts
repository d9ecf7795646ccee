// How every vitest configuration here finds the packages: in their sources ("muster-source"), so that a unit test needs
// no build. Forks, never threads: native uWebSockets.js aborts a process whose worker thread exits with an open listen
// socket.

export const sources = {
  resolve: { conditions: ["muster-source"] },
  ssr: { resolve: { conditions: ["muster-source"], externalConditions: ["muster-source"] } },
};

export const pool = "forks" as const;

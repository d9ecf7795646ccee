/** Where the model has what. In which room its jobs are: two share one, and one shares that of the open orders. */
export function modelRoomOf(job: string): string {
  const number = /^A[JD]_(\d)$/.exec(job)?.[1];
  if (number === undefined || number === "0") return "room";
  return `room-${number === "5" ? "4" : number}`;
}

/** From which address a session's worker connects: two of one pool are of one worker. */
export const modelAddressOf = (session: string): string => (session === "AW_3" ? "10.0.0.3" : "10.0.0.1");

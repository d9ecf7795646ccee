// LiveKit's own test worker (livekit-server/pkg/agent/testutils) as a client of Muster: the same code that LiveKit's tests talk
// to livekit-server with, led over a WebSocket. `go-worker <agent name>`, with LIVEKIT_URL, LIVEKIT_API_KEY and
// LIVEKIT_API_SECRET. Says what happens on stdout, one JSON object a line; leaves when stdin ends.
package main

import (
	"context"
	"encoding/json"
	"io"
	"log"
	"net/http"
	"os"
	"strings"
	"time"

	"github.com/gorilla/websocket"
	"github.com/livekit/livekit-server/pkg/agent"
	"github.com/livekit/livekit-server/pkg/agent/testutils"
	"github.com/livekit/protocol/auth"
	"github.com/livekit/protocol/livekit"
	"google.golang.org/protobuf/proto"
)

// overWebSocket stands where livekit-server's agent service stands in LiveKit's tests.
type overWebSocket struct{ socket *websocket.Conn }

func (o overWebSocket) HandleConnection(_ context.Context, worker agent.SignalConn, _ agent.WorkerRegistration) {
	go func() {
		for {
			message, _, err := worker.ReadWorkerMessage()
			if err != nil {
				o.socket.Close()
				return
			}
			frame, err := proto.Marshal(message)
			if err != nil {
				log.Fatal(err)
			}
			if o.socket.WriteMessage(websocket.BinaryMessage, frame) != nil {
				return
			}
		}
	}()
	for {
		_, frame, err := o.socket.ReadMessage()
		if err != nil {
			worker.Close()
			return
		}
		message := &livekit.ServerMessage{}
		if err := proto.Unmarshal(frame, message); err != nil {
			log.Fatal(err)
		}
		worker.WriteServerMessage(message)
	}
}

func (o overWebSocket) DrainConnections(time.Duration, bool) {}

func say(event string, facts map[string]any) {
	facts["event"] = event
	line, _ := json.Marshal(facts)
	os.Stdout.Write(append(line, '\n'))
}

func dial() *websocket.Conn {
	token, err := auth.NewAccessToken(os.Getenv("LIVEKIT_API_KEY"), os.Getenv("LIVEKIT_API_SECRET")).
		SetVideoGrant(&auth.VideoGrant{Agent: true}).
		ToJWT()
	if err != nil {
		log.Fatal(err)
	}
	url := strings.Replace(os.Getenv("LIVEKIT_URL"), "http", "ws", 1) + "/agent"
	socket, _, err := websocket.DefaultDialer.Dial(url, http.Header{"Authorization": {"Bearer " + token}})
	if err != nil {
		log.Fatal(err)
	}
	return socket
}

func main() {
	server := testutils.NewTestServerWithService(overWebSocket{dial()})
	worker := server.SimulateAgentWorker(
		testutils.WithJobAvailabilityHandler(func(request testutils.AgentJobRequest) {
			job := request.Job
			say("offered", map[string]any{"job": job.Id, "room": job.Room.GetName(), "metadata": job.Metadata})
			request.Accept()
		}),
		testutils.WithJobAssignmentHandler(func(job *livekit.Job) testutils.JobLoad {
			say("assigned", map[string]any{"job": job.Id, "room": job.Room.GetName()})
			return nil
		}),
	)
	registered := worker.RegisterWorkerResponses.Observe()
	stopped := worker.JobTerminations.Observe()
	worker.Register(os.Args[1], livekit.JobType_JT_ROOM)
	go func() {
		for {
			select {
			case answer := <-registered.Events():
				say("registered", map[string]any{"worker": answer.WorkerId})
			case stop := <-stopped.Events():
				say("stopped", map[string]any{"job": stop.JobId})
			case <-worker.Closed():
				os.Exit(1)
			}
		}
	}()
	// "running <job>" and "done <job>" on stdin report it so.
	commands := make([]byte, 4096)
	for {
		count, err := os.Stdin.Read(commands)
		if err == io.EOF {
			worker.Close()
			return
		}
		for _, line := range strings.Split(strings.TrimSpace(string(commands[:count])), "\n") {
			word, job, _ := strings.Cut(line, " ")
			status := map[string]livekit.JobStatus{"running": livekit.JobStatus_JS_RUNNING, "done": livekit.JobStatus_JS_SUCCESS}[word]
			worker.SendUpdateJob(&livekit.UpdateJobStatus{JobId: job, Status: status})
		}
	}
}

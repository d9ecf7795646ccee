{{/*
Owns which path goes where, as nginx reads it. Gateways and apis are Services of this release: their addresses stay, so they
are looked up once and connections to them are kept. livekit-server comes and goes without us: its address is looked up anew.
*/}}

{{- define "muster.routerHeaders" -}}
proxy_set_header Host {{ . }};
proxy_set_header X-Real-IP $remote_addr;
proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
proxy_set_header X-Forwarded-Proto $forwarded_proto;
proxy_set_header Upgrade $http_upgrade;
proxy_set_header Connection $connection_upgrade;
{{- end }}

{{- define "muster.routerUpstream" -}}
upstream {{ .component }} {
  server {{ include "muster.serviceHost" . }}:{{ (index .root.Values .component).service.port }};
  keepalive 32;
  # Shorter than the other side keeps them (MUSTER_HTTP_KEEP_ALIVE_MS), or a POST may meet a connection that it has just closed.
  keepalive_timeout 60s;
}
{{- end }}

{{- define "muster.routerConfig" -}}
{{- $livekit := include "muster.livekitUrl" . | replace "ws://" "http://" | replace "wss://" "https://" -}}
{{- with .Values.router -}}
worker_processes {{ .workerProcesses }};
worker_rlimit_nofile {{ mul .workerConnections 2 }};
# Sockets that are open when the router is to stop are closed after this.
worker_shutdown_timeout {{ .drainSeconds }}s;
pid /tmp/nginx.pid;
error_log stderr warn;

events {
  worker_connections {{ .workerConnections }};
}

http {
  access_log off;
  server_tokens off;
  client_body_temp_path /tmp/client_body;
  proxy_temp_path /tmp/proxy;
  fastcgi_temp_path /tmp/fastcgi;
  uwsgi_temp_path /tmp/uwsgi;
  scgi_temp_path /tmp/scgi;
  client_max_body_size {{ .maxBodySize }};

  # Workers' sockets live for as long as their workers, and so does the stream of events.
  proxy_http_version 1.1;
  proxy_connect_timeout 5s;
  proxy_read_timeout {{ .proxyTimeout }};
  proxy_send_timeout {{ .proxyTimeout }};
  proxy_socket_keepalive on;
  # Longer than the pool of a balancer before us: AWS 60 s, Google Cloud 600 s.
  keepalive_timeout 620s;
  proxy_buffering off;
  proxy_request_buffering off;
{{- end }}

  map $http_upgrade $connection_upgrade {
    default upgrade;
    "" "";
  }
  # As the proxy before us says, if there is one.
  map $http_x_forwarded_proto $forwarded_proto {
    default $http_x_forwarded_proto;
    "" $scheme;
  }

  {{- range list "gateway" "api" }}
  {{ include "muster.routerUpstream" (dict "root" $ "component" .) | nindent 2 | trim }}
  {{- end }}

  server {
    listen 8080;
    {{- include "muster.routerHeaders" "$http_host" | nindent 4 }}

    location = /agent {
      proxy_pass http://gateway;
    }
    location /twirp/livekit.AgentDispatchService/ {
      proxy_pass http://api;
    }
    location /v1/ {
      proxy_pass http://api;
    }
    location = /webhook {
      proxy_pass http://api;
    }
    {{- if $livekit }}
    location / {
      {{- if .Values.livekit.url }}
      # Outside the cluster it is found by its name.
      {{- include "muster.routerHeaders" "$proxy_host" | nindent 6 }}
      {{- end }}
      {{- if hasPrefix "https://" $livekit }}
      proxy_ssl_server_name on;
      proxy_ssl_verify on;
      proxy_ssl_verify_depth 4;
      proxy_ssl_trusted_certificate {{ .Values.router.trustedCertificate }};
      {{- end }}
      resolver {{ .Values.router.resolver }} valid=10s ipv6=off;
      set $livekit {{ $livekit }};
      proxy_pass $livekit;
    }
    {{- else }}
    # No livekit-server is known; an api says so to whoever looks for one.
    location / {
      proxy_pass http://api;
    }
    location = /metrics {
      return 404;
    }
    {{- end }}
  }

  # For probes alone.
  server {
    listen 8081;
    location = /healthz {
      default_type text/plain;
      return 200 ok;
    }
    location / {
      return 404;
    }
  }
}
{{- end }}

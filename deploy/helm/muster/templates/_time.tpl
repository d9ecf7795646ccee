{{/* Owns reckoning with durations: `500ms`, `3s`, `2m`, `1h`, `7d`, or a number of milliseconds, as Muster takes them. */}}

{{- define "muster.milliseconds" -}}
{{- $text := include "muster.settingValue" . -}}
{{- $amount := regexFind "^[0-9]+" $text | int64 -}}
{{- $unit := regexFind "[a-z]+$" $text | default "ms" -}}
{{- mul $amount (index (dict "ms" 1 "s" 1000 "m" 60000 "h" 3600000 "d" 86400000) $unit) -}}
{{- end }}

{{/* In whole seconds, rounded up. */}}
{{- define "muster.seconds" -}}
{{- div (add (include "muster.milliseconds" . | int64) 999) 1000 -}}
{{- end }}

{{/* Refuses times of a service that cannot work together; each service would refuse to start with them. */}}
{{- define "muster.checkTimes" -}}
{{- $component := .component -}}
{{- $settings := merge (dict) (index .root.Values $component).muster .root.Values.muster -}}
{{- range index (include "muster.coupledTimes" . | fromYaml) $component -}}
{{- $value := include "muster.milliseconds" (dig .field .default $settings) | int64 -}}
{{- $other := include "muster.milliseconds" (dig .than .thanDefault $settings) | int64 -}}
{{- if and (lt (mul $value .part) $other) (not (and .zeroIsOff (eq $value 0))) -}}
{{- fail (printf "muster.%s: %d ms is too short for %s: must be at least 1/%d of muster.%s, which is %d ms" .field $value $component (int .part) .than $other) -}}
{{- end -}}
{{- end -}}
{{- end }}

{{/*
How long a pod may take to end: the sleep before SIGTERM, the drain, what the service allows itself behind it (STOP_SLACK_MS
of its main.ts), and some more for a node that is busy. What was given is taken if it is no less.
*/}}
{{- define "muster.grace" -}}
{{- $own := index .root.Values .component -}}
{{- $settings := merge (dict) $own.muster .root.Values.muster -}}
{{- $drain := include "muster.seconds" ($settings.drainMs | default "5s") | int -}}
{{- $slack := index (dict "gateway" 10 "dispatcher" 5 "api" 10) .component -}}
{{- $least := add (int .root.Values.preStop.seconds) $drain $slack 5 | int -}}
{{- $given := int $own.terminationGracePeriodSeconds -}}
{{- if and $given (lt $given $least) -}}
{{- fail (printf "%s.terminationGracePeriodSeconds: must be at least %d, for preStop.seconds, drainMs and what Muster needs behind it; 0 reckons it" .component $least) -}}
{{- end -}}
{{- $given | default $least -}}
{{- end }}

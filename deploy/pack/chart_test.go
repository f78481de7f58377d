package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"helm.sh/helm/v3/pkg/chart"
	"helm.sh/helm/v3/pkg/chart/loader"
	"helm.sh/helm/v3/pkg/chartutil"
	"helm.sh/helm/v3/pkg/engine"
	"helm.sh/helm/v3/pkg/lint"
	"helm.sh/helm/v3/pkg/lint/support"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	"sigs.k8s.io/yaml"
)

const chartDir = "../helm/mtfleet"

// wanted is the least that an operator says.
func wanted() map[string]any {
	return map[string]any{"secret": "mtfleet", "image": map[string]any{"tag": "1.0.0"}}
}

func loadChart(t *testing.T) *chart.Chart {
	t.Helper()
	c, err := loader.LoadDir(chartDir)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// render renders the chart as helm template does, and returns what came of each
// template that came to something.
func render(t *testing.T, values map[string]any) (map[string]string, error) {
	t.Helper()
	c := loadChart(t)
	all, err := chartutil.ToRenderValues(c, values, chartutil.ReleaseOptions{Name: "fleet", Namespace: "bots"}, chartutil.DefaultCapabilities)
	if err != nil {
		return nil, err
	}
	files, err := engine.Render(c, all)
	if err != nil {
		return nil, err
	}
	named := map[string]string{}
	for path, text := range files {
		if strings.TrimSpace(text) != "" {
			named[filepath.Base(path)] = text
		}
	}
	return named, nil
}

// as reads a manifest as what the API takes: a field that is none is a mistake.
func as[T any](t *testing.T, manifests map[string]string, file, kind string) *T {
	t.Helper()
	text, there := manifests[file]
	if !there {
		t.Fatalf("there is no %s", file)
	}
	object := new(T)
	if err := yaml.UnmarshalStrict([]byte(text), object); err != nil {
		t.Fatalf("%s: %v\n%s", file, err, text)
	}
	if got := reflect.ValueOf(object).Elem().FieldByName("Kind").String(); got != kind {
		t.Fatalf("%s is a %s", file, got)
	}
	return object
}

func rendered(t *testing.T, values map[string]any) map[string]string {
	t.Helper()
	manifests, err := render(t, values)
	if err != nil {
		t.Fatal(err)
	}
	return manifests
}

func TestHelmsLinterHasNothingToSay(t *testing.T) {
	result := lint.All(chartDir, wanted(), "bots", true)
	for _, m := range result.Messages {
		if m.Severity > support.InfoSev {
			t.Error(m)
		}
	}
}

func TestTheChartWantsASecretAndAnImage(t *testing.T) {
	for name, c := range map[string]struct {
		change func(map[string]any)
		want   string
	}{
		"no secret":                 {func(v map[string]any) { delete(v, "secret") }, "secret"},
		"no tag":                    {func(v map[string]any) { delete(v, "image") }, "tag"},
		"two managers":              {func(v map[string]any) { v["replicas"] = 2 }, "replicas"},
		"the api_hash in a setting": {func(v map[string]any) { v["config"] = map[string]any{"api_hash": "0123"} }, "api_hash"},
		"a proxy's password in one": {func(v map[string]any) { v["config"] = map[string]any{"proxy": "socks5://a:b@c:1"} }, "proxy"},
		"a webhook's secret in one": {func(v map[string]any) {
			v["config"] = map[string]any{"webhooks": []any{map[string]any{"name": "crm", "secret": "whsec_"}}}
		}, "secret"},
		"a Secret that no path can have": {func(v map[string]any) { v["secretFiles"] = []any{"../etc"} }, "secretFiles"},
		"another place of the store":     {func(v map[string]any) { v["config"] = map[string]any{"store": map[string]any{"dir": "/tmp"}} }, "dir"},
		"a disk of many pods":            {func(v map[string]any) { v["persistence"] = map[string]any{"accessMode": "ReadWriteMany"} }, "accessMode"},
	} {
		values := wanted()
		c.change(values)
		if _, err := render(t, values); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestTheChartRunsOneManagerWithoutRights(t *testing.T) {
	set := as[appsv1.StatefulSet](t, rendered(t, wanted()), "statefulset.yaml", "StatefulSet")
	if *set.Spec.Replicas != 1 {
		t.Errorf("%d managers", *set.Spec.Replicas)
	}
	claim := set.Spec.VolumeClaimTemplates[0].Spec
	if !slices.Equal(claim.AccessModes, []corev1.PersistentVolumeAccessMode{corev1.ReadWriteOncePod}) {
		t.Errorf("the disk is %q", claim.AccessModes)
	}
	if r := set.Spec.PersistentVolumeClaimRetentionPolicy; r.WhenDeleted != appsv1.RetainPersistentVolumeClaimRetentionPolicyType {
		t.Errorf("the store goes with the release: %+v", r)
	}
	pod := set.Spec.Template.Spec
	if s := pod.SecurityContext; !*s.RunAsNonRoot || *s.RunAsUser != 65532 || s.SeccompProfile.Type != corev1.SeccompProfileTypeRuntimeDefault {
		t.Errorf("%+v", s)
	}
	if s := pod.Containers[0].SecurityContext; *s.AllowPrivilegeEscalation || !*s.ReadOnlyRootFilesystem || !slices.Equal(s.Capabilities.Drop, []corev1.Capability{"ALL"}) {
		t.Errorf("%+v", s)
	}
	if *pod.AutomountServiceAccountToken {
		t.Error("it has a token of the cluster")
	}
}

func TestTheProbesAskWhatANewStartMends(t *testing.T) {
	c := as[appsv1.StatefulSet](t, rendered(t, wanted()), "statefulset.yaml", "StatefulSet").Spec.Template.Spec.Containers[0]
	for name, p := range map[string]struct {
		got  *corev1.Probe
		path string
		// For how long it must fail until something is done, in seconds.
		patience int32
	}{
		"startup":   {c.StartupProbe, "/readyz", 300}, // as TimeoutStartSec of the unit
		"liveness":  {c.LivenessProbe, "/livez", 30},
		"readiness": {c.ReadinessProbe, "/readyz", 30},
	} {
		failures := p.got.FailureThreshold
		if failures == 0 {
			failures = 3 // what the API takes then
		}
		if got := p.got.HTTPGet; got.Path != p.path || got.Port.StrVal != c.Ports[0].Name {
			t.Errorf("%s asks for %s at port %s", name, got.Path, got.Port.StrVal)
		}
		// An answer comes within five seconds and a little (health.Limit).
		if p.got.TimeoutSeconds != 6 || p.got.PeriodSeconds*failures != p.patience {
			t.Errorf("%s waits %d s for an answer, and asks %d times every %d s", name, p.got.TimeoutSeconds, failures, p.got.PeriodSeconds)
		}
	}
}

// TestTheManagerTakesItsConfigurationOfTheChart gives the binary the ConfigMap and the
// variables that a pod would have.
func TestTheManagerTakesItsConfigurationOfTheChart(t *testing.T) {
	values := wanted()
	values["config"] = map[string]any{"limits": map[string]any{"connects_per_second": 5}, "device": map[string]any{"model": "fleet"}}
	manifests := rendered(t, values)
	settings := as[corev1.ConfigMap](t, manifests, "configmap.yaml", "ConfigMap").Data["config.yaml"]
	file := filepath.Join(t.TempDir(), "config.yaml")
	if err := os.WriteFile(file, []byte(settings), 0o600); err != nil {
		t.Fatal(err)
	}
	pod := as[appsv1.StatefulSet](t, manifests, "statefulset.yaml", "StatefulSet").Spec.Template.Spec
	inSecret := map[string]string{"api-id": "900001", "api-hash": "6d74666c6565742d746573742d617070", "master-key": strings.Repeat("ab", 32)}
	var env []string
	for _, v := range pod.Containers[0].Env {
		value := v.Value
		if v.ValueFrom != nil {
			ref := v.ValueFrom.SecretKeyRef
			if value = inSecret[ref.Key]; value == "" || ref.Name != "mtfleet" || ref.Key == "master-key" {
				t.Errorf("%s is %s of the secret %s", v.Name, ref.Key, ref.Name)
			}
			delete(inSecret, ref.Key)
		}
		env = append(env, v.Name+"="+value)
	}
	// The key is a file, root's and of the pod's group, as the manager accepts one.
	i := slices.IndexFunc(pod.Volumes, func(v corev1.Volume) bool { return v.Name == "master-key" })
	if i < 0 || pod.Volumes[i].Secret == nil || pod.Volumes[i].Secret.SecretName != "mtfleet" || *pod.Volumes[i].Secret.DefaultMode != 0o440 {
		t.Fatalf("the key is no file of the secret: %+v", pod.Volumes)
	}
	if *pod.SecurityContext.FSGroup != *pod.SecurityContext.RunAsGroup {
		t.Error("the group of the key's file is not the manager's")
	}
	for _, item := range pod.Volumes[i].Secret.Items {
		delete(inSecret, item.Key)
		at := slices.IndexFunc(pod.Containers[0].VolumeMounts, func(m corev1.VolumeMount) bool { return m.Name == "master-key" && m.ReadOnly })
		if at < 0 || !slices.Contains(env, "MTFLEET_STORE_KEY_FILE="+pod.Containers[0].VolumeMounts[at].MountPath+"/"+item.Path) {
			t.Errorf("the manager is not told of the file %s: %q", item.Path, env)
		}
	}
	if len(inSecret) > 0 {
		t.Errorf("nothing reads %v", inSecret)
	}
	mounts := map[string]bool{}
	for _, m := range pod.Containers[0].VolumeMounts {
		mounts[m.MountPath] = true
	}
	for _, want := range []string{"/data", "/etc/mtfleet", "/tmp"} {
		if !mounts[want] {
			t.Errorf("nothing is mounted at %s", want)
		}
	}

	manager := func(args ...string) string {
		cmd := exec.Command(packed.manager, append(args, "--config", file)...)
		cmd.Env = env
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Errorf("manager %q with %q: %v\n%s\nand the file\n%s", args, env, err, out, settings)
		}
		return string(out)
	}
	if out := manager("config", "check"); !strings.Contains(out, "data in /data/store") {
		t.Error(out)
	}
	if out := manager("config", "show"); !strings.Contains(out, "limits.connects_per_second = 5 ") {
		t.Error(out)
	}
	if args := pod.Containers[0].Args; !slices.Equal(args, []string{"run", "--config", "/etc/mtfleet/config.yaml"}) {
		t.Errorf("it runs %q", args)
	}
}

func TestSecretsAreFilesForSettingsThatNameThem(t *testing.T) {
	values := wanted()
	values["secretFiles"] = []any{"api-tls", "hooks"}
	pod := as[appsv1.StatefulSet](t, rendered(t, values), "statefulset.yaml", "StatefulSet").Spec.Template.Spec
	for _, name := range []string{"api-tls", "hooks"} {
		i := slices.IndexFunc(pod.Containers[0].VolumeMounts, func(m corev1.VolumeMount) bool { return m.MountPath == "/run/secrets/"+name && m.ReadOnly })
		if i < 0 {
			t.Errorf("%s is mounted nowhere", name)
			continue
		}
		volume := pod.Containers[0].VolumeMounts[i].Name
		// Without a bit for others, the group is the pod's alone.
		if !slices.ContainsFunc(pod.Volumes, func(v corev1.Volume) bool {
			return v.Name == volume && v.Secret != nil && v.Secret.SecretName == name && *v.Secret.DefaultMode == 0o440
		}) {
			t.Errorf("%s is no volume of the secret %s", volume, name)
		}
	}
}

func TestWhoScrapesFindsThePage(t *testing.T) {
	manifests := rendered(t, wanted())
	service := as[corev1.Service](t, manifests, "service.yaml", "Service")
	pod := as[appsv1.StatefulSet](t, manifests, "statefulset.yaml", "StatefulSet").Spec
	if service.Name != pod.ServiceName || service.Spec.Ports[0].TargetPort.StrVal != pod.Template.Spec.Containers[0].Ports[0].Name {
		t.Errorf("%+v", service.Spec)
	}
	for key, value := range service.Spec.Selector {
		if pod.Template.Labels[key] != value || pod.Selector.MatchLabels[key] != value {
			t.Errorf("the pod's label %s is %s", key, pod.Template.Labels[key])
		}
	}
	if _, there := manifests["networkpolicy.yaml"]; there {
		t.Error("a network policy that nobody asked for")
	}
}

func TestANetworkPolicyLetsScrapersInAndAccountsOut(t *testing.T) {
	values := wanted()
	peer := map[string]any{"namespaceSelector": map[string]any{"matchLabels": map[string]any{"kubernetes.io/metadata.name": "monitoring"}}}
	values["networkPolicy"] = map[string]any{"enabled": true, "scrapedFrom": []any{peer}}
	policy := as[networkingv1.NetworkPolicy](t, rendered(t, values), "networkpolicy.yaml", "NetworkPolicy").Spec
	if !slices.Equal(policy.PolicyTypes, []networkingv1.PolicyType{networkingv1.PolicyTypeIngress}) {
		t.Errorf("it is about %q", policy.PolicyTypes)
	}
	if in := policy.Ingress[0]; in.Ports[0].Port.StrVal != "metrics" || in.From[0].NamespaceSelector.MatchLabels["kubernetes.io/metadata.name"] != "monitoring" {
		t.Errorf("%+v", in)
	}
}

func TestEverythingThatMayBeSaidOfThePodIsTaken(t *testing.T) {
	values := wanted()
	values["podLabels"] = map[string]any{"team": "a"}
	values["podAnnotations"] = map[string]any{"note": "b"}
	values["nodeSelector"] = map[string]any{"disk": "ssd"}
	values["tolerations"] = []any{map[string]any{"key": "k", "operator": "Exists"}}
	values["affinity"] = map[string]any{"nodeAffinity": map[string]any{}}
	values["imagePullSecrets"] = []any{map[string]any{"name": "pull"}}
	values["persistence"] = map[string]any{"storageClass": "fast", "size": "1Ti", "accessMode": "ReadWriteOnce"}
	set := as[appsv1.StatefulSet](t, rendered(t, values), "statefulset.yaml", "StatefulSet").Spec
	pod := set.Template
	if pod.Labels["team"] != "a" || pod.Annotations["note"] != "b" || pod.Spec.NodeSelector["disk"] != "ssd" || pod.Spec.Tolerations[0].Key != "k" ||
		pod.Spec.Affinity.NodeAffinity == nil || pod.Spec.ImagePullSecrets[0].Name != "pull" {
		t.Errorf("%+v", pod)
	}
	claim := set.VolumeClaimTemplates[0].Spec
	if *claim.StorageClassName != "fast" || claim.Resources.Requests.Storage().String() != "1Ti" {
		t.Errorf("%+v", claim)
	}
}

func TestAChangeOfSettingsIsAnotherPod(t *testing.T) {
	sum := func(config map[string]any) string {
		values := wanted()
		values["config"] = config
		return as[appsv1.StatefulSet](t, rendered(t, values), "statefulset.yaml", "StatefulSet").Spec.Template.Annotations["checksum/config"]
	}
	if one, two := sum(map[string]any{"pfs": true}), sum(map[string]any{"pfs": false}); one == two || one == "" {
		t.Errorf("%q and %q", one, two)
	}
}
